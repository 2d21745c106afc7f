"""What events come to, line by line, for the compiled wheel and the pure one to be compared by.

    python -m tests.same_answers --seed 1 --events 20000 told.txt

Compiled code takes annotations for true, and a stranger's values make them lies (decision 0038). So every
event of the fixtures is told as it is, then with a hostile value in the place of each of its parts, then
with several at chance; each under its own rules and under others in turn, in both modes. A line says
whatever can be told apart: a 3 that became 3.0, a list that became an error, another order of keys.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.interpret import Interpreted, interpret
from streamer.engine.ports import AwaitingSchema, Decoded
from streamer.mapping import read_mapping
from streamer.planhat.items import encode_operation
from streamer.records import Record
from streamer.transform import Link, Rules
from streamer.transform.choices import Companies, Deletion
from streamer.transform.facts import keys_of, outline, parents_of
from tests.hostile_events import HOSTILE, changed_once, paths_of, with_value
from tests.transform.test_fixtures import CASES, rules_of

ROOT = Path(__file__).resolve().parent.parent
Event = dict[str, Any]
MOST_CHANGES = 4
BROKEN_BYTES = 3
"""Of the events, one in so many is told as bytes too, with some of them changed."""


class Double:
    """Has the event decoded already."""

    def __init__(self, event: object) -> None:
        self._event = event

    def decode(self, value: bytes) -> Decoded:
        """It."""
        return Decoded(self._event, "schema")


class Case(NamedTuple):
    """One event and the rules it is told by; the name finds it again."""

    name: str
    event: Any
    rules: Rules


def rule_sets() -> dict[str, Rules]:
    """Each mapping and each choice of the fixtures and pages, and what else an operator may choose."""
    found = {"": Rules(), "passthrough": Rules(forwards=True)}
    for path in CASES:
        found.setdefault(str(rules_of(path)), rules_of(path))
    for name in ("mapping/mapping.toml", "mapping.example.toml"):
        found[name] = read_mapping((ROOT / "docs" / name).read_text(encoding="utf-8")).rules
    consent = frozenset({"Advertising"})
    found["screens"] = Rules(deliver_screens=True, deletion=Deletion.ARCHIVE, link=Link.IF_ABSENT)
    found["consent"] = Rules(
        consent_categories=consent, transport_aliases=("Kafka",), companies=Companies.ALL
    )
    found["numbers"] = read_mapping(_NUMBERS).rules
    forwarding = replace(found["consent"], forwards=True)
    return {str(number): rules for number, rules in enumerate((*found.values(), forwarding))}


_NUMBERS = """
[calls]
delete = "delete"
screen = "activity"
[identify]
metrics = ["*"]
companies = "all"
[identify.traits]
email = { to = "custom:Mail" }
company = { to = "custom:Company" }
"company.id" = { to = "metric:company" }
plan = { to = ["custom:Plan", "metric:plan"], type = "number", default = 1 }
tags = { to = "tags", type = "list" }
[group]
metrics = ["*"]
flatten = "text"
[track]
weight = "revenue"
[track.properties]
"a.b" = { to = "info:ab", type = "text" }
value = { to = ["metric:value", "info:value"], type = "number", default = 3 }
flag = { to = "info:flag", type = "boolean" }
[page]
weight = "weight"
[page.properties]
title = { to = "metric:title" }
[screen]
weight = 2.5
"""


def cases(seed: int, events: int) -> Iterator[Case]:
    """As they are, with each part made hostile, and then so many with several."""
    sets = rule_sets()
    turns = cycle(sets.items())
    bases = [(json.loads(path.read_text(encoding="utf-8")), rules_of(path)) for path in CASES]
    for number, (event, own) in enumerate(bases):
        for name, rules in (("own", own), *sets.items()):
            yield Case(f"fixture {number} rules {name}", event, rules)
        for path in paths_of(event):
            for which, value in enumerate(HOSTILE):
                name, rules = next(turns)
                changed = with_value(event, path, value)
                told = f"fixture {number} {path!a} hostile {which} rules"
                yield Case(f"{told} own", changed, own)
                yield Case(f"{told} {name}", changed, rules)
    for number in range(events):
        chance = random.Random(f"{seed} {number}")
        event, own = chance.choice(bases)
        for _ in range(chance.randint(1, MOST_CHANGES)):
            event = changed_once(event, chance)
        name, rules = chance.choice([("own", own), *sets.items()])
        yield Case(f"seed {seed} event {number} rules {name}", event, rules)


def line(case: Case) -> str:
    """What an event comes to, whatever of it can be told apart."""
    record = Record("events", 0, 7, 1_700_000_000_000, b"key", b"value")
    return f"{case.name}: {_shown(interpret(record, Double(case.event), case.rules))}"


def _shown(told: Interpreted | AwaitingSchema) -> str:
    if isinstance(told, AwaitingSchema):
        return "awaits its schema"
    parts = [ascii(told.call), ascii(told.schema_id), ascii(told.skipped), ascii(told.invalid), told.detail]
    parts += [ascii(told.message_id), type(told.error).__name__]
    for operation in told.operations:
        outlined = outline(operation).as_dict()
        parts += [type(operation).__name__, _spelled(operation.as_dict()), _spelled(outlined)]
        parts += [
            ascii(operation.keys),
            ascii(operation.parents),
            ascii(keys_of(operation)),
            ascii(parents_of(operation, operation.keys)),
        ]
        parts.append(ascii(encode_operation(operation)))
    return " | ".join(parts)


def _spelled(value: object) -> str:
    """With integers of any length, which Python refuses to print as a rule."""
    most = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return ascii(value)
    finally:
        sys.set_int_max_str_digits(most)


def lines(seed: int, events: int) -> Iterator[str]:
    """All of them; then of bytes that a decoder reads, broken ones among them."""
    for case in cases(seed, events):
        yield line(case)
    decoder = Decoder(load_schemas(), max_bytes=4096)
    encode = Encoder(load_schemas()).encode
    rules = list(rule_sets().values())
    for number in range(events // BROKEN_BYTES):
        chance = random.Random(f"{seed} bytes {number}")
        event = json.loads(chance.choice(CASES).read_text(encoding="utf-8"))
        value = bytearray(_bytes_of(event, chance, encode))
        for _ in range(chance.choice((0, 1, 1, 2))):
            value[chance.randrange(len(value))] = chance.randrange(256)
        record = Record(
            "events", 0, number, -1, None, bytes(value[: chance.choice((None, None, 9, len(value) - 1))])
        )
        yield f"seed {seed} bytes {number}: {_shown(interpret(record, decoder, chance.choice(rules)))}"


def _bytes_of(event: Event, chance: random.Random, encode: Any) -> bytes:
    if chance.random() < 0.5:
        try:
            return bytes(encode(event))
        except Exception:  # noqa: BLE001 - an event that no schema of ours holds goes as JSON
            return json.dumps(event).encode()
    return json.dumps(event).encode()


def main() -> None:
    """Parse and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("told", type=Path)
    arguments = parser.parse_args()
    with arguments.told.open("w", encoding="ascii") as told:
        told.writelines(f"{each}\n" for each in lines(arguments.seed, arguments.events))


if __name__ == "__main__":
    main()
