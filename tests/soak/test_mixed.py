"""The load of a soak is as large as real events are, and comes to the same."""

import statistics
from itertools import islice

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.standins.generator import Generator
from tests.soak.mixed import LONGEST_BYTES, mixed

EVENTS = 3_000


def test_events_are_of_real_sizes() -> None:
    """Most about 0.8 KB, some many times that, none beyond what Segment takes."""
    encode = Encoder(load_schemas()).encode
    values = [made.value_bytes(encode) for made in islice(mixed(iter(Generator(1, EVENTS)), 1), EVENTS)]
    sizes = sorted(len(value) for value in values if value)

    assert 400 < statistics.median(sizes) < 1_500
    assert sizes[-20] > 5_000
    assert sizes[-1] < LONGEST_BYTES + 2_000 < 32 * 1_024


def test_what_must_come_of_them_is_the_same() -> None:
    """And a copy is the same record again."""
    plain = list(islice(Generator(1, EVENTS), EVENTS))
    grown = list(islice(mixed(iter(Generator(1, EVENTS)), 1), EVENTS))
    encode = Encoder(load_schemas()).encode
    originals = {id(made.value): made.value_bytes(encode) for made in grown if not made.expectation.is_copy}
    copies = [made for made in grown if made.expectation.is_copy]

    assert [made.expectation for made in grown] == [made.expectation for made in plain]
    assert copies
    assert all(made.value_bytes(encode) == originals[id(made.value)] for made in copies)
