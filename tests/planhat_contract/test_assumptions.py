"""Every assumption that streamer makes about Planhat's API, one named test each.

They run against the sandbox, and by `make test-planhat-live` against a real tenant: a failure there is
news about Planhat. `test_assumptions_under_switches` says which of them each switch contradicts.

A docstring is the assumption; its tag (D, D3, C, I: see the sandbox's switches) and the modules that
rely on it stand above it.
"""

import uuid

from streamer.outcomes import (
    Answered,
    Misconfigured,
    MisconfiguredReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.entries import nature_of, texts_of, verdict_of
from streamer.planhat.headers import remaining_calls
from streamer.planhat.responses import answer_to_status
from streamer.transform.operations import UpsertCompany, UpsertEnduser
from tests.planhat_contract.assumption import assumption
from tests.planhat_contract.tenant import ACCEPTED, Planhat

OK, REFUSED, MISSING = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.MISSING

# --- the door: credentials, paths, limits -------------------------------------------------------------


@assumption("D3", "planhat/probe.py")
def test_a_list_of_one_enduser_is_a_json_array(planhat: Planhat) -> None:
    """`GET /endusers?limit=1` with a good token answers 200 and a bare array: a probe for one call."""
    said = planhat.ask("GET", "/endusers?limit=1")

    assert said.status == 200
    assert isinstance(said.body, list)
    assert len(said.body) <= 1


@assumption("C", "planhat/responses.py")
def test_a_wrong_token_is_answered_401(planhat: Planhat) -> None:
    """A token that Planhat does not know is answered 401, whatever the body."""
    said = planhat.ask("GET", "/endusers?limit=1", token=f"wrong-{uuid.uuid4().hex}")

    answer = answer_to_status(said.status, said.headers, now=0.0)
    assert answer == Misconfigured(MisconfiguredReason.CREDENTIALS, 401)


@assumption("C", "planhat/responses.py")
def test_a_wrong_path_is_answered_404(planhat: Planhat) -> None:
    """A path that Planhat does not have is answered 404, so a 404 speaks of our address."""
    said = planhat.ask("PUT", "/streamer-contract-no-such-model", b"[]")

    answer = answer_to_status(said.status, said.headers, now=0.0)
    assert answer == Misconfigured(MisconfiguredReason.NOT_FOUND, 404)


@assumption("D", "planhat/headers.py")
def test_replies_say_how_many_calls_are_left(planhat: Planhat) -> None:
    """Every reply of the main API has a quota header in one of two spellings."""
    said = planhat.ask("GET", "/endusers?limit=1")

    assert remaining_calls(said.headers) is not None


@assumption("C", "planhat/headers.py", "planhat/responses.py", "engine/quota.py")
def test_too_many_calls_are_answered_429(planhat: Planhat) -> None:
    """Beyond the quota the answer is 429; if it says how long to wait, that is at most ten minutes."""
    with planhat.switched(calls_per_minute=1):
        said = planhat.ask("GET", "/endusers?limit=1")

    answer = answer_to_status(said.status, said.headers, now=0.0)
    assert isinstance(answer, Transient)
    assert answer.reason is TransientReason.THROTTLED
    assert answer.retry_after_seconds is None or 0 <= answer.retry_after_seconds <= 600


@assumption("D", "planhat/responses.py")
def test_a_permission_error_names_its_item(planhat: Planhat) -> None:
    """Where the token lacks a permission for some items, a 403 lists those; the others are saved."""
    company = planhat.company()
    known, unknown = planhat.name("permitted"), planhat.name("denied")
    planhat.tell(UpsertEnduser(known, None, company, {"name": "Known"}))

    with planhat.switched(denied="endusers.create"):
        verdicts = planhat.tell(
            UpsertEnduser(known, None, company, {"name": "Known still"}),
            UpsertEnduser(unknown, None, company, {"name": "Unknown"}),
        )

    assert verdicts == (OK, REFUSED)


# --- bulks and their summaries ------------------------------------------------------------------------


@assumption("D", "planhat/requests.py")
def test_an_array_put_to_the_collection_creates_and_updates(planhat: Planhat) -> None:
    """`PUT /companies` with an array creates what is not there and updates what is, by external id."""
    company = planhat.name("bulk")

    created, first = planhat.bulk(UpsertCompany(company, {"name": "Before"}))
    updated, second = planhat.bulk(UpsertCompany(company, {"name": "After"}))

    assert first == second == Answered(ACCEPTED)
    assert (created.body["created"], created.body["updated"]) == (1, 0)
    assert (updated.body["created"], updated.body["updated"]) == (0, 1)


@assumption("I", "planhat/summary.py", "planhat/accounts.py")
def test_the_counts_cover_every_item(planhat: Planhat) -> None:
    """Created + updated + nonupdates + errors is the number of items sent."""
    same, changed, bad = planhat.name("same"), planhat.name("changed"), planhat.name("no-name")
    before = UpsertCompany(same, {"name": "Same"}), UpsertCompany(changed, {"name": "Before"})
    planhat.tell(*before)

    said, _ = planhat.bulk(
        UpsertCompany(same, {"name": "Same"}),
        UpsertCompany(changed, {"name": "After"}),
        UpsertCompany(planhat.name("new"), {"name": "New"}),
        UpsertCompany(bad),
    )

    body = said.body
    errors = body["createdErrors"], body["updatedErrors"], body.get("permissionErrors") or []
    assert body["created"] + body["updated"] + body["nonupdates"] + sum(map(len, errors)) == 4


@assumption("I", "planhat/accounts.py")
def test_an_unchanged_item_is_counted_as_a_nonupdate(planhat: Planhat) -> None:
    """An item that changes nothing is counted in `nonupdates` and listed nowhere."""
    company = planhat.name("unchanged")
    planhat.tell(UpsertCompany(company, {"name": "Same"}))

    said, answer = planhat.bulk(UpsertCompany(company, {"name": "Same"}))

    assert answer == Answered(ACCEPTED)
    assert (said.body["nonupdates"], said.body["updated"], said.body["updatesKeys"]) == (1, 0, [])


@assumption("C", "planhat/roster.py")
def test_the_summary_lists_what_was_saved_by_external_id(planhat: Planhat) -> None:
    """`insertsKeys` and `updatesKeys` hold the external ids of what was saved."""
    company = planhat.name("listed")

    created, _ = planhat.bulk(UpsertCompany(company, {"name": "Before"}))
    updated, _ = planhat.bulk(UpsertCompany(company, {"name": "After"}))

    assert [key.get("externalId") for key in created.body["insertsKeys"]] == [company]
    assert [key.get("externalId") for key in updated.body["updatesKeys"]] == [company]


@assumption("D", "planhat/accounts.py")
def test_good_items_are_saved_beside_bad_ones(planhat: Planhat) -> None:
    """What is wrong with one item of a bulk does not keep the others from being saved."""
    good, bad = planhat.name("good"), planhat.name("bad")

    planhat.bulk(UpsertCompany(bad), UpsertCompany(good, {"name": "Good"}))

    assert planhat.stored_company(good) is not None
    assert planhat.stored_company(bad) is None


@assumption("I", "planhat/accounts.py", "planhat/entries.py", "planhat/roster.py")
def test_a_refused_item_can_be_singled_out(planhat: Planhat) -> None:
    """Whatever an error entry looks like, the reply tells which item of a small bulk it is about."""
    names = [planhat.name(f"single-{number}") for number in range(3)]

    verdicts = planhat.tell(
        UpsertCompany(names[0], {"name": "First"}),
        UpsertCompany(names[1]),
        UpsertCompany(names[2], {"name": "Third"}),
    )

    assert verdicts == (OK, Verdict.NAME_MISSING, OK)


@assumption("D", "planhat/responses.py")
def test_an_item_refused_alone_is_named_by_a_400(planhat: Planhat) -> None:
    """A bulk of one that is refused is answered with a status and entries that say so of the item."""
    said, answer = planhat.bulk(UpsertCompany(planhat.name("alone")))

    assert said.status in {200, 206, 400}
    assert answer == Answered((Verdict.NAME_MISSING,))


@assumption("I", "planhat/entries.py", "engine/answers.py")
def test_a_create_without_a_name_is_saved_with_its_id_as_name(planhat: Planhat) -> None:
    """A company refused for want of a name is taken when its id is sent as name."""
    nameless = UpsertCompany(planhat.name("nameless"))

    first = planhat.tell(nameless)
    second = planhat.tell(nameless.named_by_id())

    assert first == (Verdict.NAME_MISSING,)
    assert second == ACCEPTED


@assumption("I", "planhat/entries.py", "transform/identify.py")
def test_an_enduser_can_be_created_without_a_name(planhat: Planhat) -> None:
    """Endusers need no name: none has to be made up for them."""
    assert planhat.tell(UpsertEnduser(planhat.name("no-name"), None, planhat.company())) == ACCEPTED


@assumption("C", "planhat/entries.py", "engine/answers.py")
def test_a_key_that_is_met_twice_is_called_duplicated(planhat: Planhat) -> None:
    """Two items with one key that meet are refused by a text with the word `duplicated`."""
    user, company = planhat.name("twice"), planhat.company()
    first = UpsertEnduser(user, None, company, {"name": "First"})
    second = UpsertEnduser(user, None, company, {"name": "Second"})

    said, _ = planhat.bulk(first, second)

    entries = [*said.body["createdErrors"], *said.body["updatedErrors"]]
    assert [verdict_of(texts_of(entry), nature_of(second)) for entry in entries] == [Verdict.DUPLICATED]


# --- companies of endusers ----------------------------------------------------------------------------


@assumption("D3", "planhat/requests.py")
def test_extid_refers_to_a_company_by_its_external_id(planhat: Planhat) -> None:
    """`companyId: "extid-<external id>"` puts an enduser into that company: no look-up is needed."""
    company, user = planhat.company(), planhat.name("referred")

    planhat.tell(UpsertEnduser(user, None, company, {"name": "Referred"}))

    stored, owner = planhat.enduser(user), planhat.stored_company(company)
    assert stored is not None
    assert owner is not None
    assert stored["companyId"] == owner["_id"]


@assumption("D", "engine/answers.py", "transform/identify.py")
def test_an_enduser_without_a_company_is_not_saved(planhat: Planhat) -> None:
    """An enduser for whom no company can be found is not saved."""
    planhat.tell(UpsertEnduser(planhat.name("lost"), None, None, {"name": "Lost"}))

    assert planhat.enduser(planhat.name("lost")) is None


@assumption("I", "planhat/accounts.py", "planhat/entries.py", "engine/answers.py")
def test_the_reply_shows_that_an_enduser_was_not_saved(planhat: Planhat) -> None:
    """The one that was not saved for want of a company is told from one that was."""
    saved, lost = planhat.name("saved"), planhat.name("unsaved")

    verdicts = planhat.tell(
        UpsertEnduser(saved, None, planhat.company(), {"name": "Saved"}),
        UpsertEnduser(lost, None, planhat.name("no-such-company"), {"name": "Lost"}),
    )

    assert verdicts == (OK, MISSING)


@assumption("D", "engine/answers.py")
def test_the_domain_of_an_address_tells_the_company(planhat: Planhat) -> None:
    """An enduser without a company goes to the company that others with the same e-mail domain are in."""
    domain = planhat.name("domain")
    first, second = planhat.name("colleague-1"), planhat.name("colleague-2")
    colleague = UpsertEnduser(first, planhat.address("c1", domain), planhat.company(), {"name": "First"})
    planhat.tell(colleague)

    planhat.tell(UpsertEnduser(second, planhat.address("c2", domain), None, {"name": "Second"}))

    assert planhat.enduser(second) is not None


@assumption("C", "transform/identify.py")
def test_an_update_without_a_company_leaves_it(planhat: Planhat) -> None:
    """An enduser who is in a company stays there when an update names none."""
    user = planhat.name("staying")
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "Before"}))
    before = planhat.enduser(user)

    verdicts = planhat.tell(UpsertEnduser(user, None, None, {"name": "After"}))

    after = planhat.enduser(user)
    assert verdicts == ACCEPTED
    assert before is not None
    assert after is not None
    assert (after["companyId"], after["name"]) == (before["companyId"], "After")


@assumption("D", "transform/group.py")
def test_an_external_id_in_two_companies_is_two_endusers(planhat: Planhat) -> None:
    """External ids of endusers are unique per company: another company makes another enduser."""
    user, other = planhat.name("in-two"), planhat.name("second-company")
    planhat.tell(UpsertCompany(other, {"name": "Second"}))
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "Here"}))

    said, _ = planhat.bulk(UpsertEnduser(user, None, other, {"name": "There"}))

    assert said.body["created"] == 1


@assumption("I", "transform/identify.py")
def test_a_shared_external_id_without_a_company_finds_one(planhat: Planhat) -> None:
    """Where two companies share an external id, an update that names neither finds one of them."""
    user, other = planhat.name("shared"), planhat.name("sharing-company")
    planhat.tell(UpsertCompany(other, {"name": "Sharing"}))
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "Here"}))
    planhat.tell(UpsertEnduser(user, None, other, {"name": "There"}))

    assert planhat.tell(UpsertEnduser(user, None, None, {"position": "CTO"})) == ACCEPTED


# --- who is who ---------------------------------------------------------------------------------------


@assumption("D3", "transform/operations.py", "transform/identity.py")
def test_an_address_alone_finds_its_enduser(planhat: Planhat) -> None:
    """An e-mail address without an external id finds the enduser who has it."""
    email, company = planhat.address("by-mail"), planhat.company()
    planhat.tell(UpsertEnduser(planhat.name("by-mail"), email, company, {"name": "Before"}))

    planhat.tell(UpsertEnduser(None, email, company, {"name": "After"}))

    stored = planhat.enduser(planhat.name("by-mail"))
    assert stored is not None
    assert stored["name"] == "After"


@assumption("I", "transform/operations.py", "engine/lanes.py")
def test_the_case_of_an_address_does_not_matter(planhat: Planhat) -> None:
    """Two spellings of an address are one enduser, so they are one key to our order."""
    email, company = planhat.address("case"), planhat.company()
    planhat.tell(UpsertEnduser(planhat.name("case"), email, company, {"name": "Before"}))

    planhat.tell(UpsertEnduser(None, email.upper(), company, {"name": "After"}))

    stored = planhat.enduser(planhat.name("case"))
    assert stored is not None
    assert stored["name"] == "After"


@assumption("I", "transform/identity.py")
def test_an_enduser_known_by_address_gets_an_external_id(planhat: Planhat) -> None:
    """An external id that is new, with an address that is known and has none, names that same enduser."""
    email, user, company = planhat.address("adopted"), planhat.name("adopted"), planhat.company()
    planhat.tell(UpsertEnduser(None, email, company, {"name": "Before", "position": "CTO"}))

    planhat.tell(UpsertEnduser(user, email, company, {"name": "After"}))

    stored = planhat.enduser(user)
    assert stored is not None
    assert stored.get("position") == "CTO"


@assumption("I", "transform/identity.py")
def test_an_external_id_is_never_taken_over_by_address(planhat: Planhat) -> None:
    """Two external ids with one address are two endusers: neither becomes the other."""
    email, company = planhat.address("two"), planhat.company()
    first, second = planhat.name("two-1"), planhat.name("two-2")
    planhat.tell(UpsertEnduser(first, email, company, {"name": "First"}))

    planhat.tell(UpsertEnduser(second, email, company, {"name": "Second"}))

    stored = planhat.enduser(first)
    assert stored is not None
    assert stored["name"] == "First"


# --- fields -------------------------------------------------------------------------------------------


@assumption("C", "transform/identify.py", "transform/group.py")
def test_an_update_leaves_fields_that_it_does_not_name(planhat: Planhat) -> None:
    """A PUT is a partial update."""
    user, company = planhat.name("partial"), planhat.company()
    planhat.tell(UpsertEnduser(user, None, company, {"name": "Kept", "phone": "1"}))

    planhat.tell(UpsertEnduser(user, None, company, {"phone": "2"}))

    stored = planhat.enduser(user)
    assert stored is not None
    assert (stored["name"], stored["phone"]) == ("Kept", "2")


@assumption("I", "planhat/requests.py")
def test_source_is_no_reason_to_refuse(planhat: Planhat) -> None:
    """The field `source` at the top of an item is kept or ignored, never refused."""
    company = UpsertCompany(planhat.name("sourced"), {"name": "Sourced"})
    user = UpsertEnduser(planhat.name("sourced"), None, planhat.company(), {"name": "Sourced"})

    assert planhat.bulk(company, source=True)[1] == Answered(ACCEPTED)
    assert planhat.bulk(user, source=True)[1] == Answered(ACCEPTED)


@assumption("I", "transform/identify.py", "transform/group.py")
def test_a_title_and_a_companys_phone_are_no_reason_to_refuse(planhat: Planhat) -> None:
    """Fields that Segment's page names and Planhat's model does not are kept or ignored, never refused."""
    company = UpsertCompany(planhat.name("phoned"), {"name": "Phoned", "phone": "1"})
    user = UpsertEnduser(planhat.name("titled"), None, planhat.company(), {"name": "T", "title": "CTO"})

    assert planhat.tell(company) == ACCEPTED
    assert planhat.tell(user) == ACCEPTED


@assumption("D", "transform/identify.py")
def test_position_and_phone_are_stored(planhat: Planhat) -> None:
    """An enduser's job title is kept as `position`, and any text as `phone`."""
    user = planhat.name("position")
    planhat.tell(
        UpsertEnduser(user, None, planhat.company(), {"name": "P", "position": "CTO", "phone": "ext. 5"})
    )

    stored = planhat.enduser(user)
    assert stored is not None
    assert (stored["position"], stored["phone"]) == ("CTO", "ext. 5")


@assumption("I", "transform/fields.py")
def test_custom_fields_that_were_never_declared_are_stored(planhat: Planhat) -> None:
    """A key of `custom` needs no declaration; spaces, symbols and lists of texts are kept."""
    user = planhat.name("custom")
    custom = {"streamer contract # 1": "text", "streamer contract list": ["a", "b"]}
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "Custom"}, custom))

    stored = planhat.enduser(user)
    assert stored is not None
    assert custom.items() <= stored["custom"].items()


@assumption("I", "transform/identify.py", "transform/group.py")
def test_custom_is_merged_key_by_key(planhat: Planhat) -> None:
    """An update of one custom field leaves the others."""
    user, company = planhat.name("merged"), planhat.company()
    planhat.tell(UpsertEnduser(user, None, company, {"name": "M"}, {"streamer_a": 1, "streamer_b": 1}))

    planhat.tell(UpsertEnduser(user, None, company, custom={"streamer_b": 2}))

    stored = planhat.enduser(user)
    assert stored is not None
    assert {"streamer_a": 1, "streamer_b": 2}.items() <= stored["custom"].items()


@assumption("I", "transform/fields.py")
def test_a_null_clears_its_field(planhat: Planhat) -> None:
    """A null clears exactly the plain or custom field it stands for."""
    user, company = planhat.name("cleared"), planhat.company()
    planhat.tell(
        UpsertEnduser(user, None, company, {"name": "C", "phone": "1"}, {"streamer_a": 1, "streamer_b": 1})
    )

    planhat.tell(UpsertEnduser(user, None, company, {"phone": None}, {"streamer_a": None}))

    stored = planhat.enduser(user)
    assert stored is not None
    assert not stored.get("phone")
    assert stored["custom"].get("streamer_a") is None
    assert (stored["name"], stored["custom"].get("streamer_b")) == ("C", 1)
