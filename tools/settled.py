"""How much a commit's metadata can tell: a table for the documentation, made by the codec itself."""

import random
from collections.abc import Iterator
from typing import Final

from streamer.engine.limits import Limits
from streamer.engine.settled import Settled, encode

SHARES: Final = (0.02, 0.1, 0.3)
MOST_RECORDS: Final = 400_000
BASE: Final = 1_000_000_000
PLACE: Final = "Ttt8Jp8dRyKz0kqjTqYB7A:0"


def table() -> str:
    """Records past the oldest unsettled one, by the share of them that is unsettled."""
    limits = Limits()
    most = limits.metadata_characters
    pause = int(most * limits.metadata_pause_ratio)
    heads = (
        "unsettled, at random",
        f"records until the partition pauses ({pause:,} characters)",
        f"records that fit ({most:,})",
        "unsettled among those",
    )
    rows = [f"| {' | '.join(heads)} |", "|---|---|---|---|"]
    for share in SHARES:
        pattern = _pattern(share)
        first, last = (_capacity(pattern, characters) for characters in (pause, most))
        rows.append(f"| {share:.0%} | {_rounded(first)} | {_rounded(last)} | {_rounded(last * share)} |")
    return "\n".join(rows) + "\n"


def _pattern(share: float) -> list[int]:
    """Unsettled offsets, the oldest first."""
    dice = random.Random(1)
    return [BASE, *(BASE + at for at in range(1, MOST_RECORDS) if dice.random() < share)]


def _capacity(pattern: list[int], characters: int) -> int:
    """How many records fit into so many characters, to about a hundredth."""
    low, high = 1, MOST_RECORDS
    while high - low > low // 200 + 1:
        middle = (low + high) // 2
        if _characters(pattern, middle) <= characters:
            low = middle
        else:
            high = middle
    return low


def _characters(pattern: list[int], records: int) -> int:
    end = BASE + records
    return encode(Settled(BASE, list(_below(pattern, end)), end), PLACE, 1 << 30).characters


def _below(pattern: list[int], end: int) -> Iterator[int]:
    return (offset for offset in pattern if offset < end)


def _rounded(number: float) -> str:
    """Two digits: the next version of zlib may do a little better or worse."""
    return f"{float(f'{number:.2g}'):,.0f}"
