"""The people and companies the made events are about, in all the ways callers name them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Naming(StrEnum):
    """How calls name a person."""

    TEXT_ID = "text_id"
    NUMBER_ID = "number_id"
    MAIL_AS_ID = "mail_as_id"
    MAIL_ONLY = "mail_only"
    """No userId at all: an anonymousId and an e-mail address in the traits."""


# Nobody's names: the word itself, in scripts and accents that break careless code.
FIRST_NAMES: Final = ("Name", "Prénom", "Förnamn", "İsim", "Όνομα", "Имя", "名前", "שם", "Imię", "Név")
LAST_NAMES: Final = ("Surname", "Étternavn", "Soyadı", "Ó Sloinne", "Фамилия", "姓", "Επώνυμο", "Příjmení")  # noqa: RUF001 - the point
PLANS: Final = ("free", "team", "business", "enterprise")
COUNTRIES: Final = ("DE", "FR", "JP", "SE", "US", "BR")


class Company:
    """A company, how far its own stream of calls has come, and how many calls write it."""

    __slots__ = ("external_id", "name", "sequence", "upserts")

    def __init__(self, number: int) -> None:
        self.external_id = f"acme-{number}"
        self.name = f"Acme {number}" if number % 7 else f"Ácme № {number} 東京"
        self.sequence = 0
        self.upserts = 0

    @property
    def subject(self) -> str:
        """Whose order its calls belong to."""
        return f"co:{self.external_id}"

    @property
    def key(self) -> bytes:
        """The Kafka key of its own calls."""
        return self.external_id.encode()


class Person:
    """A person: fixed by their number, but for how far their stream of calls has come.

    A person without a company stays so for good and has an e-mail domain of their own, so that
    Planhat can find no company for them in any way.
    """

    __slots__ = ("company", "email", "identifies", "naming", "number", "sequence", "user_id")

    def __init__(self, number: int, company: Company | None) -> None:
        self.number = number
        self.company = company
        self.sequence = 0
        self.identifies = 0
        self.naming = _naming_of(number) if company is not None else Naming.TEXT_ID
        domain = f"nobody-{number}.example" if company is None else f"{company.external_id}.example"
        self.email = f"person-{number}@{domain}"
        self.user_id: str | int | None
        match self.naming:
            case Naming.TEXT_ID:
                self.user_id = f"u-{number}"
            case Naming.NUMBER_ID:
                self.user_id = 9_000_000 + number
            case Naming.MAIL_AS_ID:
                self.user_id = self.email
            case Naming.MAIL_ONLY:
                self.user_id = None

    @property
    def subject(self) -> str:
        """Whose order their calls belong to."""
        return f"mail:{self.email}" if self.user_id is None else f"ext:{self.user_id}"

    @property
    def key(self) -> bytes:
        """The Kafka key of their calls: all of one person in one partition."""
        return (self.email if self.user_id is None else str(self.user_id)).encode()

    @property
    def ids(self) -> Mapping[str, Any]:
        """`userId` and `anonymousId`, as server libraries write them: both keys, one may be null."""
        anonymous = f"a-{self.number}" if self.user_id is None or self.number % 3 == 0 else None
        return {"userId": self.user_id, "anonymousId": anonymous}

    def profile(self) -> dict[str, Any]:
        """The traits a page load sends: nested, with spaces, in any script."""
        number = self.number
        first, last = FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[number % len(LAST_NAMES)]
        names: dict[str, Any] = (
            {"name": f"{first} {last}"} if number % 2 else {"firstName": first, "lastName": last}
        )
        return names | {
            "email": self.email,
            "title": ("Analyst", "Engineer", "Buyer")[number % 3],
            "address": {"city": ("Köln", "東京", "Lyon")[number % 3], "country": COUNTRIES[number % 6]},
            "Preferred Language": ("de", "ja", "fr")[number % 3],
            "größe": number % 40,
            "roles": ["admin", "author"][: 1 + number % 2],
            "devices": [{"kind": "phone", "os": {"name": "droid", "major": number % 15}}],
        }


def _naming_of(number: int) -> Naming:
    if number % 17 == 5:
        return Naming.NUMBER_ID
    if number % 23 == 7:
        return Naming.MAIL_AS_ID
    if number % 29 == 11:
        return Naming.MAIL_ONLY
    return Naming.TEXT_ID


def name_company(person: Person, event: dict[str, Any]) -> None:
    """Write the person's company into an identify, in one of the spellings callers use.

    `traits.companyId`, `traits.company_id`, `traits.company.id` or `context.groupId`.
    """
    if person.company is None:
        return
    external_id = person.company.external_id
    match person.number % 4:
        case 0:
            event["traits"]["companyId"] = external_id
        case 1:
            event["traits"]["company_id"] = external_id
        case 2:
            event["traits"]["company"] = {"id": external_id}
        case _:
            event.setdefault("context", {})["groupId"] = external_id
