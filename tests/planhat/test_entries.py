"""What the words of one error entry mean for an operation, by its nature."""

from typing import Any

import pytest

from streamer.outcomes import Verdict
from streamer.planhat.entries import nature_of, texts_of, verdict_of
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser

ENDUSER = UpsertEnduser("u-1", None, "acme", {"name": "First"})
COMPANY = UpsertCompany("acme", {"name": "Acme"})

NO_COMPANY = [
    "company not found",
    "companyId must be specified",
    "Company extid-acme.example not found",
    'company "Acme, Inc." could not be found',
    '"companyId" is required',
    "companyId: required",
    "Company does not exist",
    "no company found for this enduser",
    "unknown company extid-acme",
    "missing companyId",
    {"companyId": "required"},
    {"externalId": "u-1", "error": "no such company"},
]
OTHER_REFUSALS = [
    "companyId is invalid",
    'Cast to ObjectId failed for value "extid-acme" at path "companyId"',
    "company name is required",
    "no company name given",
    "company is locked",
    "custom company size is required",
    "email is required",
    {"item": {"custom": {"note": "company not found"}}, "error": "phone is invalid"},
]


def verdict(entry: Any, operation: Operation) -> Verdict:
    """What an entry says of an operation."""
    return verdict_of(texts_of(entry), nature_of(operation))


@pytest.mark.parametrize("entry", NO_COMPANY)
def test_an_enduser_whose_company_is_not_found_is_missing(entry: Any) -> None:
    """It was not saved, as if nothing had been said of it: looked at again, then skipped, no dead letter."""
    assert verdict(entry, ENDUSER) is Verdict.MISSING
    assert verdict(entry, COMPANY) is Verdict.REFUSED


@pytest.mark.parametrize("entry", OTHER_REFUSALS)
def test_other_words_about_a_company_are_refusals(entry: Any) -> None:
    """A wrong reference or another field of a company is no matter of a company that is not there."""
    assert verdict(entry, ENDUSER) is Verdict.REFUSED


@pytest.mark.parametrize("entry", ["company " * 2_000, 'company "' * 1_800, "no " * 5_000])
def test_long_entries_are_read_in_linear_time(entry: str) -> None:
    """Text built to make a pattern search for long is read like any other."""
    assert verdict(entry, ENDUSER) is Verdict.REFUSED
