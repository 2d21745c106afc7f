"""The mapping file: the operator's rules, read once, at start."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from streamer.mapping import Finding, MappingMistakes, read_mapping
from streamer.transform.rules import Rules

LARGEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class MappingFile:
    """What was read, and where."""

    path: str
    rules: Rules = field(repr=False)
    warnings: tuple[Finding, ...] = ()
    """What is allowed and still doubtful."""

    def __str__(self) -> str:
        return self.path

    @property
    def maps(self) -> bool:
        """Whether it says anything beside which events are told, which is all that passthrough mode heeds."""
        return replace(self.rules, events=None) != Rules()


def read_mapping_file(path: str) -> MappingFile:
    """Read a mapping file. Raises ValueError that names every mistake, one a line, by its line."""
    try:
        rules, warnings = read_mapping(mapping_text(path))
    except MappingMistakes as mistakes:
        raise ValueError(f"{mistakes}") from None
    return MappingFile(path, rules, warnings)


def mapping_text(path: str) -> str:
    """The text of a mapping file. Raises ValueError that says why there is none."""
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        why = f"the file cannot be read ({error.strerror}); mount it or correct the path"
        raise ValueError(why) from None
    if len(content) > LARGEST_BYTES:
        raise ValueError(f"the file is larger than {LARGEST_BYTES // 2**20} MiB; no mapping is")
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line}: this is not UTF-8 text: save the file as UTF-8") from None
