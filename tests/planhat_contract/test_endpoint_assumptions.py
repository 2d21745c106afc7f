"""Assumptions about metrics, deletions and the Segment endpoint."""

from streamer.outcomes import Answered, Verdict
from streamer.transform.operations import DeleteEnduser, ForwardCall, MetricModel, PushMetric, UpsertEnduser
from tests.planhat_contract.assumption import assumption
from tests.planhat_contract.tenant import ACCEPTED, Planhat

GONE = Answered((Verdict.ACCEPTED,))


def metric(planhat: Planhat, dimension: str) -> PushMetric:
    """A value of the company that is there."""
    return PushMetric(planhat.company(), MetricModel.COMPANY, dimension, 1, "2026-01-02T03:04:05.000Z")


# --- metrics --------------------------------------------------------------------------------------------


@assumption("C", "planhat/pushed.py", "planhat/sink.py")
def test_metrics_are_taken_with_the_api_token(planhat: Planhat) -> None:
    """An array of metrics with the API token is answered 2xx, with no error and a count that covers them."""
    said, answer = planhat.bulk(metric(planhat, "streamer_a"), metric(planhat, "streamer_b"))

    assert 200 <= said.status < 300
    assert answer == Answered((Verdict.ACCEPTED, Verdict.ACCEPTED))


@assumption("C", "planhat/pushed.py")
def test_a_refused_metric_is_named_by_its_item(planhat: Planhat) -> None:
    """One without a dimension is refused with 200 and an error that repeats it; those beside it are taken."""
    good, bad = metric(planhat, "streamer_a"), metric(planhat, "")

    said, answer = planhat.bulk(good, bad)

    assert 200 <= said.status < 300
    assert answer == Answered((Verdict.ACCEPTED, Verdict.REFUSED))


@assumption("C", "planhat/pushed.py")
def test_a_metric_that_is_refused_alone_is_known(planhat: Planhat) -> None:
    """Whatever shape an error has, one metric that is sent alone and refused can be told."""
    assert planhat.deliver(metric(planhat, "")) == Answered((Verdict.REFUSED,))


# --- deletions ------------------------------------------------------------------------------------------


@assumption("C", "planhat/requests.py", "planhat/responses.py")
def test_a_deleted_enduser_is_gone(planhat: Planhat) -> None:
    """`DELETE /endusers/extid-...` is answered 2xx, and nobody is there afterwards."""
    user = planhat.name("deleted")
    assert planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "D"})) == ACCEPTED

    assert planhat.deliver(DeleteEnduser(user, None)) == GONE
    assert planhat.enduser(user) is None


@assumption("C", "planhat/responses.py")
def test_to_delete_nobody_is_answered_404(planhat: Planhat) -> None:
    """An id that nobody has is answered 404 or 410, or counts 0: so it is known when nobody is left."""
    said = planhat.ask("DELETE", f"/endusers/extid-{planhat.name('nobody')}")

    assert said.status in {404, 410} or said.body["deletedCount"] == 0


@assumption("C", "transform/deletion.py", "planhat/requests.py")
def test_to_archive_nobody_creates_nobody(planhat: Planhat) -> None:
    """`PUT /endusers/extid-...` of an id that nobody has is answered 404, and nobody is there afterwards."""
    user = planhat.name("nobody")

    assert planhat.deliver(DeleteEnduser(user, None, archives=True)) == GONE
    assert planhat.enduser(user) is None


@assumption("C", "planhat/deletion.py")
def test_an_address_lists_who_has_it(planhat: Planhat) -> None:
    """`GET /endusers?select=_id,email&email=` lists who has the address, by both fields, and nobody else."""
    email = planhat.address("listed")
    planhat.tell(UpsertEnduser(planhat.name("listed"), email, planhat.company(), {"name": "L"}))

    listed = planhat.ask("GET", f"/endusers?select=_id,email&email={email}").body

    assert [each["email"].lower() for each in listed] == [email.lower()]
    assert all(each["_id"] for each in listed)


@assumption("C", "planhat/deletion.py", "planhat/sink.py")
def test_an_enduser_can_be_deleted_by_address(planhat: Planhat) -> None:
    """Looked up by the address, then deleted by Planhat's own id."""
    email, user = planhat.address("by-mail"), planhat.name("by-mail")
    planhat.tell(UpsertEnduser(user, email, planhat.company(), {"name": "M"}))

    assert planhat.deliver(DeleteEnduser(None, email)) == GONE
    assert planhat.enduser(user) is None


# --- the Segment endpoint -------------------------------------------------------------------------------


@assumption("D", "planhat/sink.py", "transform/passthrough.py")
def test_the_segment_endpoint_takes_a_call_with_the_tenant_token(planhat: Planhat) -> None:
    """`POST /dock/segment`, Basic authorization by the tenant token and no password, is answered 2xx."""
    user = planhat.name("docked")
    call = {"type": "identify", "user_id": user, "traits": {}}

    assert planhat.deliver(ForwardCall(user, None, None, call)) == GONE


@assumption("D", "planhat/probe.py")
def test_a_call_of_nobody_changes_nothing(planhat: Planhat) -> None:
    """A type that Planhat does not handle, of nobody, is answered 2xx and ignored: a probe."""
    store = planhat.sandbox.store
    before = len(store.endusers.by_id), store.activities.stored, store.metrics.stored

    probed = planhat.probe_segment()

    assert probed.answer == Answered(())
    assert (len(store.endusers.by_id), store.activities.stored, store.metrics.stored) == before


@assumption("D", "transform/passthrough.py")
def test_user_id_finds_the_enduser_of_a_forwarded_track_call(planhat: Planhat) -> None:
    """The endpoint reads `user_id`, whatever stands beside it, and logs the event."""
    store, user = planhat.sandbox.store, planhat.name("tracked")
    planhat.tell(UpsertEnduser(user, None, planhat.company(), {"name": "T"}))
    call = {"type": "track", "userId": user, "user_id": user, "event": "Tested", "source": "Segment"}

    planhat.deliver(ForwardCall(user, None, None, call))

    newest = store.activities.kept[-1]
    assert (newest.external_id, newest.action) == (user, "Tested")
