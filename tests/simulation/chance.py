"""One seed, one script: what happens is chosen here, and nowhere else."""

import random
from collections.abc import Callable

from tests.simulation.broker import PROTOCOLS
from tests.simulation.odds import aimed_words, fault_words, switch_words
from tests.simulation.script import Script, Step, step
from tests.simulation.terms import BAD
from tests.simulation.world import HOLDING

LONGEST = 90
"""Steps of a script, at most."""
KINDS = (
    ["identify"] * 6
    + ["track"] * 8
    + ["group"] * 4
    + ["page", "screen", "anonymous", "tombstone", "garbage", "broken", "nobody", "eventless"]
)
DELETES = ("delete", "delete", "delete", "archive")
LINKS = ("always",) * 13 + ("if_absent", "if_absent", "never")
COMMIT_FATES = ("ok", "now", "late", "retry", "denied", "lost", "lost-applied", "partial", "void")


def script_of(seed: int) -> Script:
    """The script of a seed.

    Features of its world come from dice of their own: a world without any is the same with them and without.
    """
    return _Chance(random.Random(seed), random.Random(f"features of {seed}")).script()


def _features(dice: random.Random) -> list[str]:
    """What becomes of calls in this world beside upserts and activities; most often nothing."""
    if dice.random() < 1 / 8:
        return ["passthrough"]
    return [name for name, odds in (("metrics", 1 / 3), ("deletes", 1 / 4)) if dice.random() < odds]


class _Chance:
    def __init__(self, dice: random.Random, feature_dice: random.Random) -> None:
        self._dice = dice
        self._feature_dice = feature_dice
        self._features = _features(feature_dice)
        self._deletes = "skip" if "deletes" not in self._features else feature_dice.choice(DELETES)
        self._kinds = KINDS if "deletes" not in self._features else [*KINDS, *["delete"] * 6]
        self._partitions = dice.choice([1, 1, 2, 2, 3])
        self._members = dice.choice([1, 1, 2, 2, 3])
        self._users = dice.choice([1, 2, 4])
        self._who = dice.choice([["ext"], ["ext", "mail"], ["ext", "mail", "both"], ["both"]])
        self._companies = dice.choice([["0"], ["0", "1"], ["0", "1", "s"], ["s"], ["0", "1", "s", "x", "-"]])
        self._extras = dice.choice(
            [[], [], ["big"], ["size", "null"], ["nokey", "upper"], ["framed", "named"], ["odd", "size"]]
        )
        self._poison = dice.choice([None] * 6 + ["poison500", "poison400", "refused"])
        if self._poison == "refused" and "passthrough" in self._features:
            self._poison = "poison400"  # of forwarded calls nothing is ever said
        # Fewer refused ones than would look like everything refused: at its start that ends a process, and
        # no person could mend events.
        self._doses = {"refused": 2, "poison400": 3}.get(self._poison or "", 6)
        self._fed: list[list[bool]] = [[] for _ in range(self._partitions)]
        """By partition: of each event that is there, whether it was a dose."""
        self._copies = dice.choice([0.0, 0.1, 0.3])
        self._trouble = dice.choice([0.0, 0.5, 1.0, 1.0])
        self._makers: list[tuple[float, Callable[[], list[Step]]]] = [
            (9.0, self._feed),
            (8.0, self._turn),
            (6.0, self._answer),
            (3.0, self._flow),
            (2.0, self._time),
            (3.0 * self._copies, lambda: self._copy(dice.randrange(self._partitions))),
            (1.0 * self._trouble, self._fault),
            (0.6 * self._trouble, lambda: [step("heal")]),
            (0.4 * self._trouble, self._switch),
            (0.7 * self._trouble, self._commit),
            (0.5 * self._trouble, self._mode),
            (1.6 * self._trouble, self._fate),
        ]

    def script(self) -> Script:
        dice = self._dice
        world = step(
            "world", f"partitions={self._partitions}", f"members={self._members}",
            f"protocol={dice.choice(PROTOCOLS)}", f"dice={dice.randrange(1000)}",
            # With poison enough for all that may wait behind it: others must be read to prove it.
            f"water={dice.choice([12, 24]) if self._poison is None else 48}",
        )  # fmt: skip
        world = step("world", *world.words, *self._settings())
        steps = [world, *(step("start", slot) for slot in range(self._members))]
        if dice.random() < 0.5:
            steps += [each for _ in range(dice.randrange(1, 4)) for each in self._switch()]
        steps += self._poison_faults()
        steps += [step("fault", *aimed_words(self._feature_dice, feature)) for feature in self._features]
        weights = [weight for weight, _ in self._makers]
        makers = [maker for _, maker in self._makers]
        length = dice.randrange(20, LONGEST)
        while len(steps) < length:
            steps += dice.choices(makers, weights)[0]()
        return steps

    def _settings(self) -> list[str]:
        """What an operator may have set otherwise."""
        dice, words = self._dice, []
        if dice.random() < 0.25:
            words.append("overflow=resend")
        if dice.random() < 0.25:
            words.append(f"unassigned={dice.choice([HOLDING, HOLDING, HOLDING, 'co-nowhere'])}")
        if "passthrough" in self._features:
            words.append("mode=passthrough")
        if "metrics" in self._features:
            words.append("metrics=on")
        if "deletes" in self._features:
            words.append(f"deletes={self._deletes}")
        link = self._feature_dice.choice(LINKS)
        return words if link == "always" else [*words, f"link={link}"]

    def _slot(self) -> int:
        return self._dice.randrange(self._members)

    def _poison_faults(self) -> list[Step]:
        if self._poison is None:
            return []
        faults = []
        names = [f"custom.{self._poison}:yes", f"info.{self._poison}:yes"]
        if "passthrough" in self._features:
            names = [f"traits.{self._poison}:yes", f"properties.{self._poison}:yes"]
        elif "metrics" in self._features and self._feature_dice.random() < 0.7:
            # Of two kinds in one world, letters would look like everything refused.
            names[0 if self._feature_dice.random() < 0.5 else 1 :] = [f"dimensionId:{BAD}"]
        for name in names:
            about = f"items={name}"
            if self._poison == "refused":
                words = ("kind=refuse", about, "error=no_such_value", "times=always")
            else:
                words = ("kind=status", f"status={self._poison[-3:]}", about, "times=always")
            faults.append(step("fault", *words))
        # Of activities no item is refused.
        return [each for each in faults if "info" not in str(each)] if self._poison == "refused" else faults

    def _feed(self) -> list[Step]:
        dice = self._dice
        steps = []
        partition = dice.randrange(self._partitions)
        for _ in range(dice.choice([1, 1, 2, 3, 6])):
            extras = [each for each in self._extras if dice.random() < 0.4]
            if self._poison is not None and self._doses and dice.random() < 0.15:
                self._doses -= 1
                extras.append(self._poison)
            who = dice.choice(self._who)
            kind = dice.choice(self._kinds)
            if "metrics" in self._features and self._feature_dice.random() < 0.5:
                extras.append("metric")
            if kind == "group" and dice.random() < 0.5:
                who = "none"
            user, company = dice.randrange(self._users), dice.choice(self._companies)
            steps.append(
                step("feed", partition, kind, user, who, company, *([",".join(extras)] if extras else []))
            )
            self._fed[partition].append(self._poison in extras)
            if dice.random() < self._copies:
                steps += self._copy(partition)
            if dice.random() < 0.1:
                steps.append(step("gap", partition, dice.randrange(1, 4)))
        return steps

    def _copy(self, partition: int) -> list[Step]:
        """A producer that heard nothing tries again: at once, or long after."""
        there = self._fed[partition]
        back = self._dice.choice([0, 0, 1, 2, 5, 15])
        if back >= len(there):
            return []
        is_dose = there[-1 - back]
        if is_dose and not self._doses:
            return []
        self._doses -= is_dose
        there.append(is_dose)
        return [step("copy", partition, back)]

    def _turn(self) -> list[Step]:
        return [step("turn", self._slot(), self._dice.choice([1, 1, 2, 4]))]

    def _answer(self) -> list[Step]:
        return [step(self._dice.choice(["arrive", "answer", "answer"]), self._dice.randrange(4))]

    def _flow(self) -> list[Step]:
        return [step("flow", self._dice.choice([1, 2, 5, 15]))]

    def _time(self) -> list[Step]:
        return [step("time", self._dice.choice(["0.05", "0.2", "0.6", "2", "7", "20"]))]

    def _fault(self) -> list[Step]:
        return [step("fault", *fault_words(self._dice, self._features))]

    def _switch(self) -> list[Step]:
        return [step("switch", *switch_words(self._dice, self._features))]

    def _commit(self) -> list[Step]:
        return [step("commit", self._dice.choice(COMMIT_FATES)) for _ in range(self._dice.choice([1, 1, 3]))]

    def _mode(self) -> list[Step]:
        dice = self._dice
        return [
            dice.choice(
                [
                    step("letters", dice.choice(["ok", "ok", "refuse", "full", "silent"])),
                    step("network", dice.choice(["smooth", "smooth", "deaf", "stuck"])),
                    step("registry", dice.choice(["up", "down"])),
                    step("sink", dice.choice(["free", "free", "busy"])),
                    step("token", dice.choice(["valid", "revoked"])),
                ]
            )
        ]

    def _broker(self) -> list[Step]:
        """The topic, or its newest records, are lost, and everybody starts anew."""
        partition, records = self._dice.randrange(self._partitions), self._dice.randrange(1, 6)
        lost = self._dice.choice([step("recreate"), step("cut", partition, records)])
        for there in self._fed if lost.verb == "recreate" else [self._fed[partition]]:
            there.clear()
        return [lost, *(step("start", slot) for slot in range(self._members))]

    def _fate(self) -> list[Step]:
        dice, slot = self._dice, self._slot()
        verb = dice.choice(
            ["crash", "fuse", "fuse", "stop", "start", "start", "rebalance", "expire", "freeze", "broker"]
        )
        steps = [step(verb, slot)]
        match verb:
            case "crash":
                steps = [step("crash", slot, dice.choice(["applied", "dropped"])), step("start", slot)]
            case "broker":
                steps = self._broker()
            case "fuse":
                steps = [step("fuse", slot, dice.randrange(1, 40))]
            case "freeze":
                steps += [step("time", dice.choice([1, 6])), *self._turn(), step("thaw", slot)]
            case "rebalance":
                steps = [step("rebalance", dice.randrange(1, 3))]
            case "expire":
                # Lost, and soon read again, perhaps with requests under way.
                steps.append(step("turn", slot, dice.choice([1, 3, 5])))
        return steps
