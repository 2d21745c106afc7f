"""Where in a TOML text each key stands: tomllib reads values and knows no lines.

The text is one that tomllib takes, so this looks for nothing but where things begin and end.
"""

import re
import tomllib

Path = tuple[str | int, ...]
"""Keys of tables, and places in arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(
    r'"""(?:[^\\]|\\.)*?"""+|' + r"'''.*?'''+|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'", re.DOTALL
)
_OTHER_VALUE = re.compile(r"[^,\]}\n#]*")


def locate(text: str) -> dict[Path, int]:
    """The line, counted from 1, of every key and array entry of a valid TOML text."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = (0, 1)
        self._arrays: dict[Path, int] = {}
        self.lines: dict[Path, int] = {}

    def scan(self) -> None:
        """Walk over the whole text."""
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._sees("[["):
                table = self._header(2)
            elif self._sees("["):
                table = self._header(1)
            else:
                self._pair(table)

    def _header(self, brackets: int) -> Path:
        line = self._line()
        self._at += brackets
        *outer, last = self._key()
        path: Path = ()
        for key in outer:
            path = self._within((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, last)
        self.lines.setdefault(path, line)
        if brackets == 2:
            self._arrays[path] = self._arrays.get(path, -1) + 1
        path = self._within(path)
        self.lines.setdefault(path, line)
        self._skip(_SPACE)
        self._at += brackets
        return path

    def _within(self, path: Path) -> Path:
        """The path, and of an array of tables its newest one."""
        return (*path, self._arrays[path]) if path in self._arrays else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._key():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._skip(_SPACE)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            quoted = _QUOTED.match(self._text, self._at)
            found = quoted or _BARE_KEY.match(self._text, self._at)
            if found is None:
                raise ValueError("no key here: the text is no TOML")
            self._at = found.end()
            keys.append(next(iter(tomllib.loads(f"{found[0]} = 0"))) if quoted else found[0])
            self._skip(_SPACE)
            if not self._sees("."):
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        if self._sees("["):
            self._array(path)
        elif self._sees("{"):
            self._inline_table(path)
        else:
            found = _QUOTED.match(self._text, self._at) or _OTHER_VALUE.match(self._text, self._at)
            self._at = self._at if found is None else found.end()

    def _array(self, path: Path) -> None:
        self._at += 1
        place = 0
        while self._skip(_BLANK) < len(self._text) and not self._sees("]"):
            self.lines.setdefault((*path, place), self._line())
            self._value((*path, place))
            place += 1
            self._skip(_BLANK)
            if self._sees(","):
                self._at += 1
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while self._skip(_BLANK) < len(self._text) and not self._sees("}"):
            self._pair(path)
            self._skip(_BLANK)
            if self._sees(","):
                self._at += 1
        self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        self._at = self._at if found is None else found.end()
        return self._at

    def _sees(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _line(self) -> int:
        # Counted on from where it was counted last: a text of many keys is walked over once.
        at, line = self._counted
        self._counted = (self._at, line + self._text.count("\n", at, self._at))
        return self._counted[1]
