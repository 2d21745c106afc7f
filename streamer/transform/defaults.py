"""The rules that hold where the operator says nothing: Segment's reserved traits as Planhat's fields."""

from streamer.transform.activity_rules import ActivityRules, EventRules
from streamer.transform.planhat_fields import COMPANY_FIELDS, ENDUSER_FIELDS, Kind
from streamer.transform.trait_rules import Place, Target, TraitRule, TraitRules

TWINS = (
    ("first_name", "firstName"),
    ("last_name", "lastName"),
    ("created_at", "createdAt"),
    ("address.postal_code", "address.postalCode"),
    ("company.employee_count", "company.employeeCount"),
    ("company.created_at", "company.createdAt"),
)
"""Segment's reserved traits of two words, in both spellings that Segment accepts; the second one wins."""

USER_REFERENCES = frozenset({"email", "id", "user_id", "companyId", "company_id", "company"})
COMPANY_REFERENCES = frozenset({"id"})


def _fields(kinds: dict[str, Kind], trait: str, *names: str) -> TraitRule:
    return TraitRule(trait, tuple(Target(Place.FIELD, name, kinds[name]) for name in names))


IDENTIFY = TraitRules(
    (
        _fields(ENDUSER_FIELDS, "first_name", "firstName"),
        _fields(ENDUSER_FIELDS, "firstName", "firstName"),
        _fields(ENDUSER_FIELDS, "last_name", "lastName"),
        _fields(ENDUSER_FIELDS, "lastName", "lastName"),
        _fields(ENDUSER_FIELDS, "phone", "phone"),
        _fields(ENDUSER_FIELDS, "title", "title", "position"),
        _fields(ENDUSER_FIELDS, "name", "name"),
    ),
    references=USER_REFERENCES,
)

GROUP = TraitRules(
    (
        _fields(COMPANY_FIELDS, "address.street", "address"),
        _fields(COMPANY_FIELDS, "address.city", "city"),
        _fields(COMPANY_FIELDS, "address.postal_code", "zip"),
        _fields(COMPANY_FIELDS, "address.postalCode", "zip"),
        _fields(COMPANY_FIELDS, "address.country", "country"),
        _fields(COMPANY_FIELDS, "website", "website"),
        _fields(COMPANY_FIELDS, "description", "description"),
        _fields(COMPANY_FIELDS, "phone", "phone"),
        _fields(COMPANY_FIELDS, "address", "address"),
        _fields(COMPANY_FIELDS, "name", "name"),
    ),
    references=COMPANY_REFERENCES,
)

TRACK = ActivityRules()
TRACK_EVENTS = EventRules()
PAGE = ActivityRules("Viewed {category} {name} Page", "Loaded a Page")
SCREEN = ActivityRules("Viewed {category} {name} Screen", "Loaded a Screen")
