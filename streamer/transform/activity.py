"""What track, page and screen share: one activity of the user, and the metrics its properties say."""

from streamer.events.calls import JsonDict, Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.activity_rules import ActivityRules
from streamer.transform.identity import Who, acting_user, company_of, context_traits
from streamer.transform.operations import LogActivity, MetricModel, Skipped, Transformed
from streamer.transform.pushed import metrics_of
from streamer.transform.ruled import Metrics, apply_rules, put_defaults


def activity(call: Track | Page | Screen, action: str, rules: ActivityRules) -> Transformed | Skipped:
    """One activity named `action`; then the metrics.

    `info` carries the properties as they are, and the messageId: Planhat knows no event ids, so
    this is the one trace by which a duplicate can be told from a repetition.
    """
    who = acting_user(call)
    if who.is_anonymous:
        return Skipped(SkipReason.ANONYMOUS)
    properties = call.properties
    if rules.properties.is_idle:
        info, metrics = properties, None
    else:
        info, metrics = _ruled(rules, properties, who)
    logged = LogActivity(
        who.external_id,
        who.email,
        company_of(call.context, context_traits(call.context)),
        action,
        call.timestamp,
        rules.weight.of(properties, call),
        info if call.message_id is None else {**info, "messageId": call.message_id},
    )
    if metrics and who.external_id is not None:
        return Transformed((logged, *metrics_of(MetricModel.ENDUSER, who.external_id, metrics, call)))
    return Transformed((logged,))


def _ruled(rules: ActivityRules, properties: JsonDict, who: Who) -> tuple[JsonDict, Metrics | None]:
    """What `info` holds of the properties, and what goes to metrics."""
    info: JsonDict = {}
    metrics: Metrics | None = None if who.external_id is None else []
    apply_rules(rules.properties, properties, {}, info, metrics)
    put_defaults(rules.properties, properties, info, metrics)
    return info, metrics
