"""The operations of one batch, found again by what a reply calls them. Pure.

Being unsure is cheap (the operation is asked about again), being wrong is not (a good one refused, a
bad one taken for saved). So evidence is tried strongest first and only the first kind that finds
anything counts:

1. a field that names the key: `externalId`, `email`
2. a whole value: a bare string, or under a field such as `id`, `key`, `item`
3. a whole word of a sentence, never a part of a longer one. Without quotation marks the id must be
   distinctive: "1" or "email" stand in any sentence
4. for endusers, the company they refer to: a field or a word as above
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from streamer.planhat.entries import Text
from streamer.transform.operations import LogActivity, Operation, UpsertCompany, UpsertEnduser

_EXTERNAL_ID_FIELDS = frozenset({"externalid", "external_id", "euextid"})
_EMAIL_FIELDS = frozenset({"email"})
_COMPANY_FIELDS = frozenset({"companyid", "company_id", "companyexternalid"})
_VALUE_FIELDS = frozenset({"", "id", "key", "keys", "item", "value", "enduser", "user", "company", "record"})

_WORD = re.compile(r"[^\s\"'`,;()\[\]{}<>|]+")
_QUOTED = re.compile(r"\"([^\"]{1,300})\"|'([^']{1,300})'|`([^`]{1,300})`")
# Only labels that introduce an id: of "org:u-1" the part after the colon is another id than ours.
_LABEL = re.compile(
    r"(?:external_?id|email|_?id|key|item|(?:user|enduser|company)(?:_?id)?)[:=]", re.IGNORECASE
)
# Words that replies put between quotation marks about any item ('"name" is required').
_FIELD_WORDS = frozenset(
    {"name", "email", "externalid", "sourceid", "companyid", "_id", "id", "firstname", "lastname", "custom"}
    | {"phone", "position", "title", "website", "description", "item", "index", "error"}
)
_PUNCTUATION = ".:!?="
_SHORTEST_NUMBER = 5
_REFERENCE = "extid-"
# A company of more operations than this points at none of them, and would be walked for every entry.
_LARGEST_COMPANY = 50

Places = dict[str, list[int]]


class Roster:
    """Operations by external id, e-mail (in lower case) and company; several may share a company."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._external: Places = defaultdict(list)
        self._email: Places = defaultdict(list)
        self._company: Places = defaultdict(list)
        for place, operation in enumerate(operations):
            if not isinstance(operation, UpsertCompany | UpsertEnduser | LogActivity):
                continue  # no summary speaks of these
            if operation.external_id is not None:
                self._external[operation.external_id].append(place)
            if isinstance(operation, UpsertCompany):
                # Its own reference form names the company itself.
                self._external[_REFERENCE + operation.external_id].append(place)
                continue
            if operation.email is not None:
                self._email[operation.email.lower()].append(place)
            if operation.company_external_id is not None:
                self._company[operation.company_external_id].append(place)
                self._company[_REFERENCE + operation.company_external_id].append(place)

    def saved_as(self, key: object) -> int | None:
        """The place of the one operation that this entry of `insertsKeys` or `updatesKeys` names.

        None where it holds only Planhat's own `_id`, names nobody of ours, or more than one.
        """
        if isinstance(key, str):
            return _only(self._own(key))
        if not isinstance(key, dict):
            return None
        external_id, email = key.get("externalId"), key.get("email")
        places: set[int] = set()
        if isinstance(external_id, str):
            places.update(self._external.get(external_id, ()))
        if not places and isinstance(email, str):
            places.update(self._email.get(email.lower(), ()))
        return _only(places)

    def named_in(self, texts: Sequence[Text]) -> frozenset[int]:
        """Places of the operations an error entry may be about; exactly one where it is unmistakable."""
        places = {place for text in texts for place in self._by_field(text)}
        if not places:
            places = {place for text in texts for place in self._by_value(text)}
        if not places:
            words = set().union(*(_words(text.text) for text in texts))
            places = {place for word in words for place in self._own(word)}
            if not places:
                places = {place for text in texts for place in self._by_company_field(text)}
                places.update(place for word in words for place in self._of_company(word))
        return frozenset(places)

    def _own(self, text: str) -> set[int]:
        return {*self._external.get(text, ()), *self._email.get(text.lower(), ())}

    def _by_field(self, text: Text) -> Sequence[int]:
        if text.field in _EXTERNAL_ID_FIELDS:
            return self._external.get(text.text, ())
        if text.field in _EMAIL_FIELDS:
            return self._email.get(text.text.lower(), ())
        return ()

    def _by_value(self, text: Text) -> set[int]:
        if text.field not in _VALUE_FIELDS or text.text.lower() in _FIELD_WORDS:
            return set()
        return self._own(text.text)

    def _by_company_field(self, text: Text) -> Sequence[int]:
        return self._of_company(text.text) if text.field in _COMPANY_FIELDS else ()

    def _of_company(self, reference: str) -> Sequence[int]:
        places = self._company.get(reference, ())
        return places if len(places) <= _LARGEST_COMPANY else ()


def _only(places: set[int]) -> int | None:
    return places.pop() if len(places) == 1 else None


def _words(text: str) -> set[str]:
    """Words of a sentence that can be an id: all between quotation marks, else the distinctive ones."""
    quoted = {part for parts in _QUOTED.findall(text) for part in parts if part.lower() not in _FIELD_WORDS}
    words = set(_WORD.findall(text))
    labelled = {word[label.end() :] for word in words if (label := _LABEL.match(word))}
    bare = {word.strip(_PUNCTUATION) for word in words | labelled}
    return quoted | {word for word in words | bare if _is_distinctive(word)}


def _is_distinctive(word: str) -> bool:
    if word.isdigit():
        return len(word) >= _SHORTEST_NUMBER
    return not word.isalpha() and any(char.isalpha() for char in word)
