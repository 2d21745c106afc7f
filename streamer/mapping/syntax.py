"""What keeps a text from being TOML, by its line, with what to do: tomllib's sentences say what alone."""

import re
from ast import literal_eval

from streamer.mapping.finding import Finding, plain, shown

_AT_LINE = re.compile(
    r"^(?P<what>.*?) ?\(at (?:line (?P<line>\d+), column \d+|end of document)\)$", re.DOTALL
)
_KEYS = re.compile(r"\((?:'[^']*'|\"[^\"]*\")(?:, (?:'[^']*'|\"[^\"]*\"))*,?\)")
"""A table as tomllib names it: ('track', 'events')."""
_MANY_DIGITS = re.compile(r"\d[\d_]{4299}")
"""More than Python reads of one number."""
_ADVICE = {
    "Cannot declare": "put its keys together under one heading",
    "Cannot overwrite a value": "what stands here has a value already: keep one of them",
    "Expected '=' after a key": "write key = value",
    "Illegal character '\\n'": "close the quote on the line where it begins",
    "Invalid statement": "a line is a [table], or key = value",
    "Invalid value": "text stands in quotes, and a value stands on the line of its key",
    "Unescaped '\\' in a string": "write \\\\, or single quotes around the text",
    "Unterminated string": "close the quote",
}
"""What to do, by how the sentence begins."""


def syntax_mistake(error: ValueError, text: str) -> Finding:
    """Where the text ceases to be TOML, and why: `error` is what tomllib raised."""
    sentence = str(error)
    found = _AT_LINE.match(sentence)
    last = text.count("\n") + 1
    if found is None and (digits := _MANY_DIGITS.search(text)):
        line = text.count("\n", 0, digits.start()) + 1
        return Finding(line, "a number has more than 4300 digits; no more of the file could be read")
    line = int(found["line"]) if found and found["line"] else last
    what = found["what"] if found else sentence
    advice = "".join(f" ({todo})" for start, todo in _ADVICE.items() if what.startswith(start))
    named = _KEYS.sub(lambda keys: f"[{shown(literal_eval(keys[0]))}]", what)
    return Finding(
        min(line, last), plain(f"this is no TOML: {named}{advice}; no more of the file could be read")
    )
