"""How the assumptions treat a real tenant, seen at a sandbox that they take for one."""

from contextlib import closing

import pytest

from streamer.planhat.credentials import Credentials
from tests.planhat_contract import tenant
from tests.planhat_contract.assumption import ASSUMPTIONS
from tests.planhat_contract.served import UNLIMITED, ServedSandbox
from tests.planhat_contract.tenant import MARK, Planhat

UNSEEN = {
    "too_many_calls_are_answered_429",
    "a_permission_error_names_its_item",
    "euextid_or_externalid_finds_the_enduser",
    "an_address_finds_the_enduser",
    "action_date_weight_and_info_are_kept",
    "an_activity_creates_its_enduser_in_the_company_it_names",
    "an_activity_of_an_unknown_user_without_a_company_is_dropped",
    "an_activity_sent_twice_counts_twice",
    "a_call_of_nobody_changes_nothing",
    "user_id_finds_the_enduser_of_a_forwarded_track_call",
}
"""Assumptions that a real tenant cannot be asked about."""

MOST_CALLS = 250


def test_a_real_tenant_is_left_as_it_was(served: ServedSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is written bears the mark and is deleted; what cannot be seen is skipped, not passed."""
    monkeypatch.setattr(tenant, "REAL_CALL_SECONDS", 0.0)
    sandbox = served.reset(UNLIMITED)
    credentials = Credentials(sandbox.api_token, sandbox.tenant_token)
    models = sandbox.store.companies, sandbox.store.endusers
    unseen = set()
    with closing(Planhat(served.url, served.url, credentials)) as planhat:
        for name, each in ASSUMPTIONS.items():
            try:
                each.check(planhat)
            except pytest.skip.Exception:
                unseen.add(name)
        entries = [entry.fields for model in models for entry in model.by_id.values()]

    assert unseen == UNSEEN
    assert entries
    assert all(str(entry.get("externalId") or entry["email"]).startswith(MARK) for entry in entries)
    assert [len(model.by_id) for model in models] == [0, 0]
    assert len(sandbox.journal.rows) <= MOST_CALLS


def test_calls_to_a_real_tenant_keep_their_distance(
    served: ServedSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two calls of the main API there is a pause that stays below the tenant's quota."""
    slept: list[float] = []
    monkeypatch.setattr("tests.planhat_contract.tenant.time.sleep", slept.append)
    sandbox = served.reset({})
    credentials = Credentials(sandbox.api_token, sandbox.tenant_token)
    with closing(Planhat(served.url, served.url, credentials)) as planhat:
        for _ in range(3):
            planhat.ask("GET", "/endusers?limit=1")

    assert slept[0] == 0.0
    assert all(0.9 * tenant.REAL_CALL_SECONDS < pause <= tenant.REAL_CALL_SECONDS for pause in slept[1:])
    assert 60 / tenant.REAL_CALL_SECONDS < 200
