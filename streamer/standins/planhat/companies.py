"""Companies: unique by externalId and sourceId, found by the domains of e-mail addresses."""

from typing import Any

from streamer.standins.planhat.drafts import COMPANY_FIELDS, Draft, ItemRefused
from streamer.standins.planhat.entries import Entry, IgnoredLog, Index, JsonObject, Stamps
from streamer.standins.planhat.models import Model
from streamer.standins.planhat.switches import Board

FREE_MAIL = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "yahoo.com",
        "icloud.com",
        "me.com",
        "aol.com",
        "gmx.com",
        "gmx.de",
        "web.de",
        "proton.me",
        "protonmail.com",
        "mail.com",
        "mail.ru",
        "yandex.ru",
        "qq.com",
        "163.com",
    }
)
"""Domains no company is known by (I)."""


def domain_of(email: object) -> str | None:
    """The lower-cased domain of an e-mail address."""
    if not isinstance(email, str):
        return None
    _, at, domain = email.rpartition("@")
    return domain.lower() if at and domain else None


class Companies(Model):
    """The companies of the tenant."""

    name = "companies"
    known_fields = COMPANY_FIELDS

    def __init__(self, board: Board, stamps: Stamps, ignored: IgnoredLog) -> None:
        super().__init__(board, stamps, ignored)
        self._by_domain = Index()

    def by_reference(self, reference: str | None) -> Entry | None:
        """The company of a `companyId`: an id, `extid-...` or `srcid-...`."""
        return None if reference is None else self.by_path_id(reference)

    def by_external_id(self, external_id: str) -> Entry | None:
        """The company with this externalId."""
        found = self.by_external.get(external_id)
        return found[0] if found else None

    def by_email(self, email: object) -> Entry | None:
        """The company among whose domains the address is (D); the oldest of several (I)."""
        domain = domain_of(email)
        found = self._by_domain.get(domain) if domain else ()
        return found[0] if found else None

    def learn_domain(self, company: Entry, email: object) -> None:
        """An enduser with this address belongs to the company: its domain becomes one of the company's."""
        domain = domain_of(email)
        known = company.fields.get("domains") or []
        if domain is None or domain in known or domain in FREE_MAIL:
            return
        company.fields["domains"] = [*known, domain]
        self._by_domain.add(domain, company)

    def named_company(self, draft: Draft) -> Entry | None:
        """A company belongs to none."""
        return None

    def match(self, keys: JsonObject, company: Entry | None) -> Entry | None:
        """By `_id`, `sourceId`, then `externalId`."""
        entry, may_go_on = self._by_unique_keys(keys)
        if entry is None and may_go_on and keys.get("externalId") is not None:
            entry = self.by_external_id(keys["externalId"])
        return entry

    def violations(self, keys: JsonObject, company: Entry | None, entry: Entry | None) -> list[str]:
        """SourceId and externalId are unique."""
        names = []
        source_id, external_id = keys.get("sourceId"), keys.get("externalId")
        if source_id is not None and self.by_source.get(source_id, entry) is not entry:
            names.append("sourceId")
        if external_id is not None and any(other is not entry for other in self.by_external.get(external_id)):
            names.append("externalId")
        return names

    def complete(self, draft: Draft, company: Entry | None) -> Entry | None:
        """Only the name is required (D)."""
        if not draft.fields.get("name"):
            raise ItemRefused("name must be specified")
        return None

    def revise(self, entry: Entry, draft: Draft) -> None:
        """A name once given is not cleared."""
        if not draft.fields.get("name", True):
            del draft.fields["name"]

    def index(self, entry: Entry) -> None:
        """Enter externalId, sourceId and domains."""
        super().index(entry)
        for domain in _domains(entry):
            self._by_domain.add(domain, entry)

    def unindex(self, entry: Entry) -> None:
        """Take them out."""
        super().unindex(entry)
        for domain in _domains(entry):
            self._by_domain.remove(domain, entry)

    def document(self, entry: Entry) -> dict[str, Any]:
        """The stored object as Planhat replies it."""
        return {"status": "prospect", "tags": [], "domains": [], "usage": {}, **self._document(entry)}


def _domains(entry: Entry) -> list[str]:
    domains = entry.fields.get("domains")
    if not isinstance(domains, list):
        return []
    return list(dict.fromkeys(each.lower() for each in domains if isinstance(each, str)))
