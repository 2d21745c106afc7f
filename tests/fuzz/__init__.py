"""Bytes found by coverage, for all that reads what others wrote: one module a target, named in `NAMES`.

A target is a law about any bytes. `make fuzz` looks for bytes that break one (atheris: libFuzzer for
Python); `test_corpus.py` holds the laws for what was found and kept, in every test run.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple


class Target(NamedTuple):
    """What is fuzzed."""

    one: Callable[[bytes], None]
    """Raises where these bytes break the law."""
    seeds: Iterable[bytes]
    """Where the search begins, beside the corpus."""
    words: Iterable[bytes] = ()
    """What such bytes are often made of."""


NAMES: Final = {
    "readers": ("streamer.avro.leaves", "streamer.avro.varints"),
    "framing": ("streamer.avro",),
    "parser": ("streamer.avro.json_text", "streamer.events", "streamer.transform"),
    "settled": ("streamer.engine.settled",),
    "replies": ("streamer.planhat",),
    "mapping": ("streamer.mapping",),
    "letters": ("streamer.letters",),
}
"""Each target's module here, and the rooms whose branches it follows."""
