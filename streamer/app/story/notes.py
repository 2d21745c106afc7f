"""What else is worth knowing of a story: where it differs from Planhat's record, and what is odd. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from streamer.app.story.values import Kind, Look, Story

MOST_NAMES: Final = 5
"""Names that stand in one sentence."""
_ANY_CASE: Final = frozenset({"email", "name", "firstName", "lastName"})
"""Fields of which Planhat may change the letters' case."""


def differences(story: Story) -> list[str]:
    """Fields that its calls give and Planhat has otherwise, or not at all; none where it was not asked."""
    if story.present is None or story.present.look is not Look.FOUND:
        return []
    record = story.present.record
    custom = record.get("custom")
    held = dict(record)
    if isinstance(custom, Mapping):
        held |= {f"custom.{key}": value for key, value in custom.items()}
    # Segment's page calls this field `title`, Planhat's own model `position`: it goes by both names.
    held.setdefault("title", held.get("position"))
    return sorted(name for name, value in story.fields.items() if not _holds(name, value, held.get(name)))


def _holds(name: str, told: object, held: object) -> bool:
    if name in _ANY_CASE and isinstance(told, str) and isinstance(held, str):
        return told.casefold() == held.casefold()
    return told == held


def notes(story: Story) -> Iterator[str]:
    """What else is worth knowing, each a sentence."""
    if len(story.seen_on) > 1:
        where = ", ".join(map(str, sorted(story.seen_on)))
        yield (
            f"Its calls are on partitions {where}: between partitions no order is promised, so an older call "
            "may have come last. Key the topic by user id."
        )
    if story.null_keys:
        many, have = calls_words(story.null_keys, capital=True), "has" if story.null_keys == 1 else "have"
        yield f"{many} of it {have} no key: such records are strewn over the partitions, out of order."
    if story.other_ids and story.wanted.kind is Kind.EMAIL:
        ids = ", ".join(sorted(story.other_ids)[:MOST_NAMES])
        yield f"The same calls name the user id {ids}: calls with that id alone are told by --user."
    if story.named_by:
        naming = (
            "One call of a user names" if story.named_by == 1 else f"{story.named_by:,} calls of users name"
        )
        yield f"{naming} this company; such calls never create it."
    if story.count > len(story.calls):
        yield f"Of {story.count:,} calls the latest {len(story.calls):,} are told; counts are of all."
    cut = cut_partitions(story)
    if cut:
        where = ", ".join(map(str, cut))
        yield f"Of partition {where} everything older is deleted: what was said before is not known."


def calls_words(count: int, *, capital: bool = False) -> str:
    """So many calls."""
    if count == 1:
        return "One call" if capital else "one call"
    return f"{count:,} calls"


def cut_partitions(story: Story) -> list[int]:
    """Partitions of which all was read that is left, and not all is."""
    return sorted(number for number, each in story.partitions.items() if each.read.low == each.held.low > 0)
