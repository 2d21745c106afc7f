"""Endusers: each in one company, known by externalId (per company) and e-mail (not unique)."""

import hashlib
from collections.abc import Sequence
from typing import Any

from streamer.standins.planhat.choices import (
    AmbiguousMatch,
    EmailCase,
    EnduserName,
    ExternalIdScope,
    Matching,
    UnknownCompany,
)
from streamer.standins.planhat.companies import Companies
from streamer.standins.planhat.drafts import ENDUSER_FIELDS, Draft, ItemRefused, derive_names
from streamer.standins.planhat.entries import Entry, IgnoredLog, Index, JsonObject, Stamps
from streamer.standins.planhat.models import ItemIgnored, Model
from streamer.standins.planhat.switches import Board


class Endusers(Model):
    """The endusers of the tenant."""

    name = "endusers"
    known_fields = ENDUSER_FIELDS

    def __init__(self, board: Board, stamps: Stamps, ignored: IgnoredLog, companies: Companies) -> None:
        super().__init__(board, stamps, ignored)
        self._companies = companies
        self._by_email = Index()

    def with_email(self, email: str) -> Sequence[Entry]:
        """Endusers with this address."""
        found = self._by_email.get(email.lower())
        if found and self._board.now.email_case is EmailCase.EXACT:
            return [entry for entry in found if entry.fields["email"] == email]
        return found

    def find(
        self, external_id: str | None, email: str | None, company: Entry | None, turn: int
    ) -> Entry | None:
        """The enduser an activity is about: by externalId, else by e-mail; in the company if one is given.

        Where several share the id, Planhat takes the one flagged primary, else any (D): here, `turn` picks.
        """
        found: Sequence[Entry] = ()
        if external_id is not None:
            found = self._in_scope(self.by_external.get(external_id), company)
        if not found and email is not None:
            found = self._in_scope(self.with_email(email), company)
        if len(found) > 1:
            found = [entry for entry in found if entry.fields.get("primary")] or found
            return found[turn % len(found)]
        return found[0] if found else None

    def keys_of(self, fields: JsonObject) -> JsonObject:
        """The fields, with the e-mail in the case it is compared in."""
        email = fields.get("email")
        if email is None or self._board.now.email_case is EmailCase.EXACT or email.islower():
            return fields
        return {**fields, "email": email.lower()}

    def named_company(self, draft: Draft) -> Entry | None:
        """The company of `companyId`."""
        return self._companies.by_reference(draft.company_reference)

    def match(self, keys: JsonObject, company: Entry | None) -> Entry | None:
        """By `_id`, `sourceId`, `externalId`, then `email` if it is exactly one's."""
        entry, may_go_on = self._by_unique_keys(keys)
        if entry is not None or not may_go_on:
            return entry
        matching = self._board.now.matching
        external_id, email = keys.get("externalId"), keys.get("email")
        if external_id is not None:
            found = self._in_scope(self.by_external.get(external_id), company)
            if found:
                return self._oldest(found)
            if matching is Matching.HIGHEST_GIVEN:
                return None
        if email is not None:
            found = self._in_scope(self.with_email(email), company)
            if len(found) == 1 and (
                external_id is None
                or matching is Matching.CASCADE_OVERWRITING
                or found[0].fields.get("externalId") is None
            ):
                return found[0]
        return None

    def violations(self, keys: JsonObject, company: Entry | None, entry: Entry | None) -> list[str]:
        """SourceId is unique in the model, externalId in its scope; e-mails are free (D)."""
        source_id, external_id = keys.get("sourceId"), keys.get("externalId")
        names = []
        if source_id is not None and self.by_source.get(source_id, entry) is not entry:
            names.append("sourceId")
        if external_id is not None:
            for other in self._in_scope(self.by_external.get(external_id), company):
                if other is not entry:
                    names.append("externalId")
                    if keys.get("email") is not None and keys["email"] == other.fields.get("email"):
                        names.append("email")
                    break
        return names

    def complete(self, draft: Draft, company: Entry | None) -> Entry | None:
        """A company (D) and one key (D3) are required; without a company nothing is saved (D)."""
        fields = draft.fields
        if not ("externalId" in fields or "email" in fields or "sourceId" in fields):
            raise ItemRefused("email, externalId or sourceId must be specified")
        company = company or self._companies.by_email(fields.get("email"))
        switches = self._board.now
        if company is None:
            if switches.unknown_company is UnknownCompany.ERROR:
                raise ItemRefused(
                    "company not found" if draft.company_reference else "companyId must be specified"
                )
            raise ItemIgnored("unknown_company" if draft.company_reference else "no_company")
        derive_names(fields, {})
        if switches.enduser_name is EnduserName.REQUIRED and not fields.get("name"):
            raise ItemRefused("name must be specified")
        return company

    def revise(self, entry: Entry, draft: Draft) -> None:
        """An unknown company leaves an enduser where it is, or is an error (I)."""
        strict = self._board.now.unknown_company is UnknownCompany.ERROR
        if strict and draft.company_reference and self.named_company(draft) is None:
            raise ItemRefused("company not found")
        fields = draft.fields
        if not fields.get("name", True):
            del fields["name"]
        derive_names(fields, entry.fields)

    def index(self, entry: Entry) -> None:
        """Enter externalId, sourceId and e-mail; the company learns the e-mail's domain."""
        super().index(entry)
        email = entry.fields.get("email")
        if email is not None:
            self._by_email.add(email.lower(), entry)
            if entry.company is not None and self._board.now.auto_domains:
                self._companies.learn_domain(entry.company, email)

    def unindex(self, entry: Entry) -> None:
        """Take them out."""
        super().unindex(entry)
        email = entry.fields.get("email")
        if email is not None:
            self._by_email.remove(email.lower(), entry)

    def document(self, entry: Entry) -> dict[str, Any]:
        """The stored object as Planhat replies it."""
        document = {"beats": 0, "convsTotal": 0, "tags": [], "archived": False, **self._document(entry)}
        if entry.company is not None:
            document["companyId"] = entry.company.id
            document["companyName"] = entry.company.fields.get("name")
        if entry.fields.get("email") is not None:
            email = entry.fields["email"].encode()
            document["emailMd5"] = hashlib.md5(email, usedforsecurity=False).hexdigest()
        return document

    def _in_scope(self, entries: Sequence[Entry], company: Entry | None) -> Sequence[Entry]:
        """Those in the company, where ids are unique per company only and one is given."""
        if company is None or self._board.now.external_id_scope is ExternalIdScope.GLOBAL:
            return entries
        return [entry for entry in entries if entry.company is company]

    def _oldest(self, found: Sequence[Entry]) -> Entry:
        if len(found) > 1 and self._board.now.ambiguous_match is AmbiguousMatch.REFUSED:
            raise ItemRefused("externalId matches several endusers")
        return found[0]
