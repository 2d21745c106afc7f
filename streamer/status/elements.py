"""HTML as a tree: text is text wherever it stands, since the standard library escapes it when it is written.

There is no way here to write markup as text, so that no topic, reason or setting can become any.
"""

from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

Child = Element | str


class Cell(NamedTuple):
    """One cell of a table's body."""

    child: Child
    is_number: bool = False


def element(name: str, /, *children: Child, **attributes: str) -> Element:
    """An element; `class_` and `http_equiv` stand for `class` and `http-equiv`."""
    made = Element(name, {key.rstrip("_").replace("_", "-"): text for key, text in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + child
        else:
            made.text = (made.text or "") + child
    return made


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Element:
    """A table with headed columns, whose first cell heads its row. A heading stands as its column does."""
    columns = rows[0] if rows else [Cell("")] * len(headings)
    head = [
        element("th", heading, scope="col", **_kind(cell))
        for heading, cell in zip(headings, columns, strict=True)
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *head)),
        element("tbody", *(_row(cells) for cells in rows)),
    )


def _row(cells: Sequence[Cell]) -> Element:
    first, *others = cells
    heading = element("th", first.child, scope="row", **_kind(first))
    return element("tr", heading, *(element("td", each.child, **_kind(each)) for each in others))


def _kind(cell: Cell) -> dict[str, str]:
    return {"class_": "number"} if cell.is_number else {}


def document(root: Element) -> bytes:
    """The whole page in UTF-8; what has no place in it, such as half a surrogate pair, becomes `?`."""
    return f"<!DOCTYPE html>\n{tostring(root, encoding='unicode', method='html')}\n".encode(errors="replace")
