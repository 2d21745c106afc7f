"""Which assumption each behaviour of the sandbox contradicts: what we lose if Planhat is like that.

All assumptions are checked under every value of every switch. That streamer keeps its promises even then
is `test_every_switch`; here stands what would not come out as meant, such as fields that are gone.
"""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

import streamer
from streamer.planhat.credentials import Credentials
from tests.planhat_contract import test_activity_assumptions, test_assumptions, test_endpoint_assumptions
from tests.planhat_contract.assumption import ASSUMPTIONS, Checked
from tests.planhat_contract.cases import DECLARED, Case, cases
from tests.planhat_contract.served import UNLIMITED, ServedSandbox
from tests.planhat_contract.tenant import Planhat

CONTRADICTED: Mapping[Case, frozenset[str]] = {
    Case(switch, value): frozenset(names)
    for switch, value, *names in [
        ("unknown_company", "nonupdates", "the_reply_shows_that_an_enduser_was_not_saved"),
        ("duplicates_in_request", "in-turn", "a_key_that_is_met_twice_is_called_duplicated"),
        ("external_id_scope", "global", "an_external_id_in_two_companies_is_two_endusers"),
        ("matching", "cascade-overwriting", "an_external_id_is_never_taken_over_by_address"),
        ("matching", "highest-given", "an_enduser_known_by_address_gets_an_external_id"),
        ("ambiguous_match", "refused", "a_shared_external_id_without_a_company_finds_one"),
        ("email_case", "exact", "the_case_of_an_address_does_not_matter"),
        (
            "unknown_fields",
            "refused",
            "source_is_no_reason_to_refuse",
            "a_title_and_a_companys_phone_are_no_reason_to_refuse",
        ),
        ("custom_fields", DECLARED, "custom_fields_that_were_never_declared_are_stored"),
        ("unknown_custom", "dropped", "custom_fields_that_were_never_declared_are_stored"),
        ("unknown_custom", "refused", "custom_fields_that_were_never_declared_are_stored"),
        ("null_values", "ignored", "a_null_clears_its_field"),
        ("custom_merge", "replace", "custom_is_merged_key_by_key", "a_null_clears_its_field"),
        (
            "enduser_name",
            "required",
            "an_enduser_can_be_created_without_a_name",
            "an_activity_creates_its_enduser_in_the_company_it_names",
        ),
        ("auto_domains", "off", "the_domain_of_an_address_tells_the_company"),
        (
            "reply_keys",
            "id-only",
            "the_summary_lists_what_was_saved_by_external_id",
            "the_reply_shows_that_an_enduser_was_not_saved",
        ),
        ("permission_errors_key", "off", "a_permission_error_names_its_item"),
        ("header_spelling", "none", "replies_say_how_many_calls_are_left"),
        (
            "activity_keys",
            "2017",
            "euextid_or_externalid_finds_the_enduser",
            "an_activity_creates_its_enduser_in_the_company_it_names",
        ),
        ("metric_error_shape", "keys-error", "a_refused_metric_is_named_by_its_item"),
        ("metric_error_shape", "text", "a_refused_metric_is_named_by_its_item"),
        ("activity_creates", "off", "an_activity_creates_its_enduser_in_the_company_it_names"),
    ]
}
"""The assumptions that do not hold where Planhat is like that. A case that is not here: all hold."""

FORBIDS = frozenset({"denied", "calls_per_minute", "calls_per_second", "parallel_calls"})
"""Documented limits and permissions: they change no meaning, and forbid the asking itself."""

CASES = [case for case in cases() if case.switch not in FORBIDS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_switch_contradicts_what_is_said_and_nothing_else(served: ServedSandbox, case: Case) -> None:
    """Each assumption holds or fails under a switch exactly as the table says."""
    switches = {name: value for name, value in case.switches.items() if name not in FORBIDS}
    sandbox = served.reset({**UNLIMITED, **switches})
    credentials = Credentials(sandbox.api_token, sandbox.tenant_token)
    with closing(Planhat(served.url, served.url, credentials, sandbox)) as planhat:
        failed = {name for name, each in ASSUMPTIONS.items() if not _holds(each.check, planhat)}

    assert failed == CONTRADICTED.get(case, frozenset())


def _holds(check: Checked, planhat: Planhat) -> bool:
    try:
        check(planhat)
    except AssertionError:
        return False
    return True


def test_assumptions_name_modules_that_are_there() -> None:
    """Every assumption has a known tag, a sentence, and is relied on by files of the package."""
    package = Path(streamer.__file__).parent
    modules = test_assumptions, test_activity_assumptions, test_endpoint_assumptions

    written = {name for module in modules for name in vars(module) if name.startswith("test_")}
    assert {f"test_{name}" for name in ASSUMPTIONS} == written
    for each in ASSUMPTIONS.values():
        assert each.tag in {"D", "D3", "C", "I"}
        assert each.check.__doc__
        assert each.relied_on_by
        assert [path for path in each.relied_on_by if not (package / path).is_file()] == []


def test_the_table_speaks_of_what_there_is() -> None:
    """The table names cases and assumptions that exist."""
    assert CONTRADICTED.keys() <= set(CASES)
    assert set().union(*CONTRADICTED.values()) <= ASSUMPTIONS.keys()
