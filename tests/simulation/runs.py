"""One run of a script, from the first step to rest."""

from dataclasses import dataclass

from tests.simulation.facts import Facts
from tests.simulation.laws import ALL
from tests.simulation.script import Script, step
from tests.simulation.world import LawBroken, World

DEFAULT_WORLD = step("world", "partitions=1", "members=1", "protocol=eager", "dice=0")


@dataclass(frozen=True, slots=True)
class Broken:
    """Which law a script breaks, and how."""

    law: str
    reason: str
    at: int
    """The place of the step after which it was seen; past the last one: while coming to rest."""


def run(script: Script) -> Broken | None:
    """What the script breaks, None when every law holds. The same script always runs the same way."""
    at = 0
    try:
        first, steps = (
            (script[0], script[1:]) if script and script[0].verb == "world" else (DEFAULT_WORLD, script)
        )
        world = World(first)
        facts = Facts(world)
        world.obey(facts)
        for law in ALL:
            world.obey(law(world, facts))
        for each in steps:
            at += 1
            world.do(each)
        at = len(script)
        world.rest()
        world.tell("ended")
    except LawBroken as broken:
        return Broken(broken.law, broken.reason, at)
    return None
