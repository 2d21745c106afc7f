"""Laws of the file that STREAMER_SUPPRESSION_FILE names."""

from pathlib import Path

import pytest

from streamer.config import load_settings, settings_table
from streamer.config.suppression import LARGEST_BYTES, read_suppression_file
from streamer.errors import SettingsError

NEEDED = {
    "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "kafka-1:9092",
    "STREAMER_PLANHAT_TENANT_TOKEN": "00000000-0000-4000-8000-000000000000",
    "STREAMER_PLANHAT_API_TOKEN": "token",
}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A list with everything that one may hold."""
    path = tmp_path / "suppressed.txt"
    path.write_bytes(b"\xef\xbb\xbf# who asked\r\n\r\n u-1 \r\nAnn@Example.org\nu-1\nuser #7\n#u-2\n")
    return path


def test_a_line_is_a_user(listed: Path) -> None:
    """Blanks around an entry, blank lines and comments do not count, nor does who stands there twice."""
    suppressed = read_suppression_file(str(listed)).suppressed
    assert suppressed.user_ids == {"u-1", "Ann@Example.org", "user #7"}
    assert suppressed.emails == {"ann@example.org"}


def test_the_list_is_part_of_the_rules(listed: Path) -> None:
    """The setting names the file; the rules hold what it held at start, and the table how many that were."""
    settings = load_settings(NEEDED | {"STREAMER_SUPPRESSION_FILE": str(listed)})
    listed.unlink()

    assert settings.rules.suppressed is not None
    assert settings.rules.suppressed.user_ids == {"u-1", "Ann@Example.org", "user #7"}
    shown = {row.name: row.value for row in settings_table(settings)}["STREAMER_SUPPRESSION_FILE"]
    assert shown == f"{listed} (3 entries)"
    assert "ann" not in repr(settings).lower()
    assert load_settings(NEEDED).rules.suppressed is None


def test_a_list_may_be_empty(tmp_path: Path) -> None:
    """A list that nobody is on yet is one."""
    path = tmp_path / "list"
    path.write_text("# nobody yet\n")
    assert str(read_suppression_file(str(path))) == f"{path} (0 entries)"


WRONG = {
    "1": (b'"u-1"', "stands in quotation marks"),
    "2": (b"u-1,ann@example.org", "holds more than one value"),
    "3": (b"Ann Lee <ann@example.org>", "holds more than one value"),
    "4": (b"u-1\tactive", "holds a character that cannot be printed"),
    "5": (b"\xffu-1", "is not UTF-8 text"),
    "6": (b"u" * 1001, "is longer than 1000 characters"),
}


def test_every_bad_line_is_named_and_none_is_quoted(tmp_path: Path) -> None:
    """A row of a table would match nobody, so it is refused at start: by its number, for it is of people."""
    path = tmp_path / "list"
    path.write_bytes(b"\n".join(line for line, _ in WRONG.values()) + b"\nu-2\n")
    with pytest.raises(SettingsError) as refused:
        load_settings(NEEDED | {"STREAMER_SUPPRESSION_FILE": str(path)})
    problem = str(refused.value)
    assert "; ".join(f"line {number} {why}" for number, (_, why) in WRONG.items()) in problem
    assert f"STREAMER_SUPPRESSION_FILE='{path}'" in problem
    assert "ann@" not in problem.lower()


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    """A whole table of them is told by ten lines and a number."""
    path = tmp_path / "list"
    path.write_text("u-1,a@b.co\n" * 12)
    with pytest.raises(ValueError, match="line 10 holds more than one value; 2 more lines are wrong"):
        read_suppression_file(str(path))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A list that cannot be read ends the start: without it people would be told of who must not be."""
    with pytest.raises(ValueError, match="cannot be read"):
        read_suppression_file(str(tmp_path / "absent"))
    with pytest.raises(ValueError, match="cannot be read"):
        read_suppression_file(str(tmp_path))
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_suppression_file(str(large))
