"""What track, page and screen share: one activity of the user, and the metrics its properties say."""

from typing import Final

from streamer.events.calls import JsonDict, Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.activity_rules import ActivityRules
from streamer.transform.identity import acting_email, company_of
from streamer.transform.operations import LogActivity, MetricModel, Skipped, Transformed
from streamer.transform.pushed import metrics_of
from streamer.transform.ruled import Metrics, apply_rules, put_defaults

_NO_TRAITS: Final[JsonDict] = {}


def activity(call: Track | Page | Screen, action: str, rules: ActivityRules) -> Transformed | Skipped:
    """One activity named `action`; then the metrics.

    `info` carries the properties as they are, and the messageId: Planhat knows no event ids, so
    this is the one trace by which a duplicate can be told from a repetition.
    """
    external_id, context = call.user_id, call.context
    traits = context.get("traits")
    if type(traits) is not dict:
        traits = _NO_TRAITS
    # Apart, as it is so of nearly every call: no traits of the user's, and an id that is no address.
    is_plain = not traits and external_id is not None and "@" not in external_id
    email = None if is_plain else acting_email(call)
    if external_id is None and email is None:
        return Skipped(SkipReason.ANONYMOUS)
    properties = call.properties
    weight = rules.weight
    weighed = properties.get(weight.property)  # type: ignore[arg-type]  # None is no key, and finds nothing
    carried = properties
    metrics: Metrics | None = None
    if not rules.properties.is_idle:
        metrics = None if external_id is None else []
        carried = _ruled(rules, properties, metrics)
    logged = LogActivity(
        external_id,
        email,
        company_of(context, traits),
        action,
        call.timestamp,
        weight.fixed if weighed is None and not weight.is_amount else weight.of(weighed, properties, call),
        carried if call.message_id is None else {**carried, "messageId": call.message_id},
    )
    if metrics and external_id is not None:
        return Transformed((logged, *metrics_of(MetricModel.ENDUSER, external_id, metrics, call)))
    return Transformed((logged,))


def _ruled(rules: ActivityRules, properties: JsonDict, metrics: Metrics | None) -> JsonDict:
    """What `info` holds of the properties; what goes to metrics is added there."""
    carried: JsonDict = {}
    apply_rules(rules.properties, properties, {}, carried, metrics)
    put_defaults(rules.properties, properties, carried, metrics)
    return carried
