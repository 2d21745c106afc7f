"""Assumptions about the analytics host. Planhat has no API to read activities: a real tenant shows little."""

import uuid

from streamer.standins.planhat.activities import Activity
from streamer.transform.operations import LogActivity, UpsertEnduser
from tests.planhat_contract.assumption import assumption
from tests.planhat_contract.tenant import Planhat

DATE = "2026-01-02T03:04:05.000Z"


def activity(
    planhat: Planhat, external_id: str | None, email: str | None, company: str | None
) -> LogActivity:
    """An activity with everything streamer sends."""
    return LogActivity(external_id, email, company, "Tested", DATE, 2.5, {"messageId": uuid.uuid4().hex})


def newest(planhat: Planhat) -> Activity | None:
    """The activity stored last."""
    kept = planhat.sandbox.store.activities.kept
    return kept[-1] if kept else None


@assumption("D", "planhat/responses.py")
def test_the_analytics_host_takes_anything_with_a_2xx(planhat: Planhat) -> None:
    """Activities of nobody are answered like any other: a 2xx means received, and its body nothing."""
    nobody = activity(planhat, planhat.name("nobody"), None, None)

    assert 200 <= planhat.log(nobody).status < 300


@assumption("I", "planhat/requests.py")
def test_euextid_or_externalid_finds_the_enduser(planhat: Planhat) -> None:
    """Of the two names that we send the user's id by, the bulk path of activities reads one."""
    before, user = newest(planhat), planhat.name("active")
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "Active"}))

    planhat.log(activity(planhat, user, None, None))

    stored = newest(planhat)
    assert stored is not None
    assert stored != before


@assumption("D", "planhat/requests.py")
def test_an_address_finds_the_enduser(planhat: Planhat) -> None:
    """An activity with an e-mail address alone goes to the enduser who has it."""
    before, email = newest(planhat), planhat.address("active-mail")
    planhat.tell(UpsertEnduser(planhat.name("active-mail"), email, planhat.company(), {"name": "Active"}))

    planhat.log(activity(planhat, None, email, None))

    stored = newest(planhat)
    assert stored is not None
    assert stored != before


@assumption("D", "planhat/requests.py", "transform/activity.py")
def test_action_date_weight_and_info_are_kept(planhat: Planhat) -> None:
    """What an activity says of itself is stored as it was sent."""
    before, email = newest(planhat), planhat.address("kept")
    planhat.tell(UpsertEnduser(planhat.name("kept"), email, planhat.company(), {"name": "Kept"}))

    planhat.log(activity(planhat, planhat.name("kept"), email, None))

    stored = newest(planhat)
    assert stored is not None
    assert stored != before
    assert (stored.action, stored.date, stored.weight) == ("Tested", DATE, 2.5)


@assumption("D", "planhat/requests.py")
def test_an_activity_creates_its_enduser_in_the_company_it_names(planhat: Planhat) -> None:
    """An activity of an unknown user with `companyExternalId` creates that enduser there."""
    sandbox, user = planhat.sandbox, planhat.name("created-by-activity")

    planhat.log(activity(planhat, user, None, planhat.company()))

    found = sandbox.store.endusers.by_external.get(user)
    assert [entry.company for entry in found] == [sandbox.store.companies.by_external_id(planhat.company())]


@assumption("D", "engine/answers.py")
def test_an_activity_of_an_unknown_user_without_a_company_is_dropped(planhat: Planhat) -> None:
    """Planhat drops what it can attach to nobody, without a word: `received` is all we can promise."""
    sandbox = planhat.sandbox
    before = sandbox.store.activities.stored

    planhat.log(activity(planhat, planhat.name("stranger"), None, None))

    assert sandbox.store.activities.stored == before


@assumption("D", "engine/limits.py")
def test_an_activity_sent_twice_counts_twice(planhat: Planhat) -> None:
    """Activities are never compared: whatever is sent again is counted again."""
    sandbox, email = planhat.sandbox, planhat.address("twice")
    planhat.tell(UpsertEnduser(planhat.name("twice-active"), email, planhat.company(), {"name": "Twice"}))
    before = sandbox.store.activities.stored
    sent = activity(planhat, None, email, None)

    planhat.log(sent)
    planhat.log(sent)

    assert sandbox.store.activities.stored == before + 2
