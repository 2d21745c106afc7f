"""Planhat's own fields that a trait may be written to, and what each of them holds.

Source: Planhat's pages on endusers and companies. Left out are fields that Planhat computes, references to
its own objects, and the keys by which it finds an object: a trait must not change whom an upsert is about.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a value can be made into."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    LIST = "list"


ENDUSER_FIELDS = {
    "archived": Kind.BOOLEAN,
    "createDate": Kind.DATE,
    "featured": Kind.BOOLEAN,
    "firstName": Kind.TEXT,
    "lastName": Kind.TEXT,
    "name": Kind.TEXT,
    "npsUnsubscribed": Kind.BOOLEAN,
    "otherEmails": Kind.LIST,
    "phone": Kind.TEXT,
    "position": Kind.TEXT,
    "primary": Kind.BOOLEAN,
    "tags": Kind.LIST,
    "title": Kind.TEXT,
}
"""Job title: Segment's page calls the field `title`, Planhat's own model `position`."""

COMPANY_FIELDS = {
    "address": Kind.TEXT,
    "city": Kind.TEXT,
    "coOwner": Kind.TEXT,
    "country": Kind.TEXT,
    "description": Kind.TEXT,
    "domains": Kind.LIST,
    "name": Kind.TEXT,
    "owner": Kind.TEXT,
    "phase": Kind.TEXT,
    "phone": Kind.TEXT,
    "status": Kind.TEXT,
    "tags": Kind.LIST,
    "website": Kind.TEXT,
    "zip": Kind.TEXT,
}

KEYS = frozenset({"_id", "companyExternalId", "companyId", "email", "externalId", "id", "sourceId"})
"""Fields by which Planhat finds an object or its company."""
