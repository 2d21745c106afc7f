"""Tables for docs/mapping.md, made from what decides: the shape of the file, default rules, the transform."""

from collections.abc import Sequence
from typing import Any

from pydantic.fields import FieldInfo

from streamer.events.parse import parse
from streamer.mapping import shape
from streamer.transform import Rules, Skipped, defaults, transform
from streamer.transform.choices import Deletion
from streamer.transform.planhat_fields import COMPANY_FIELDS, ENDUSER_FIELDS, Kind

_SAMPLES: tuple[dict[str, Any], ...] = (
    {"type": "identify"},
    {"type": "group", "groupId": "acme"},
    {"type": "track", "event": "Logged In"},
    {"type": "page", "name": "Home"},
    {"type": "screen", "name": "Home"},
    {"type": "alias", "previousId": "u-0"},
    {"type": "delete"},
)


def calls_table() -> str:
    """What each type of call becomes by default, and with every rule that adds something."""
    everything = Rules(deliver_screens=True, deletion=Deletion.DELETE)
    rows = [
        (f"`{sample['type']}`", _becomes(sample, Rules()), _becomes(sample, everything))
        for sample in _SAMPLES
    ]
    return _table(("call", "by default", "at most, by `[calls]`"), rows)


def keys_table() -> str:
    """Every key of the file, with its default."""
    rows = []
    for table, declared in shape.MappingFile.model_fields.items():
        default = declared.get_default(call_default_factory=True)
        if isinstance(default, shape.Table):
            rows += [_key(f"{table}.{name}", each) for name, each in type(default).model_fields.items()]
        else:
            rows.append(_key(table, declared))
    rows += [_key(f'track.events."<name>".{name}', each) for name, each in shape.Event.model_fields.items()]
    return _table(("key", "default", "meaning"), rows)


def default_rules_table() -> str:
    """The rules that hold where the file has none, in their order."""
    rows = [
        (f"`{call}`", f"`{rule.name}`", ", ".join(f"`{target.name}`" for target in rule.targets))
        for call, rules in (("identify", defaults.IDENTIFY), ("group", defaults.GROUP))
        for rule in rules.rules
    ]
    return _table(("call", "trait", "field at Planhat"), rows)


def planhat_fields_table() -> str:
    """The fields of Planhat's own that a trait may go to."""
    names = sorted(ENDUSER_FIELDS.keys() | COMPANY_FIELDS.keys())
    rows = [(f"`{name}`", _kind(ENDUSER_FIELDS.get(name)), _kind(COMPANY_FIELDS.get(name))) for name in names]
    return _table(("field", "of an enduser", "of a company"), rows)


def _becomes(sample: dict[str, Any], rules: Rules) -> str:
    result = transform(parse({"userId": "u-1", **sample}), rules)
    if isinstance(result, Skipped):
        return f"skipped `{result.reason}`"
    return ", then ".join(f"`{each.endpoint}`" for each in result.operations)


def _key(name: str, declared: FieldInfo) -> tuple[str, str, str]:
    default = declared.get_default(call_default_factory=True)
    return (f"`{name}`", _default(default), declared.description or "")


def _default(value: object) -> str:
    if value is None:
        return "as in `[track]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == {}:
        return "none"
    if isinstance(value, list):
        return "`[" + ", ".join(f'"{each}"' for each in value) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _kind(kind: Kind | None) -> str:
    return "" if kind is None else str(kind)


def _table(heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
