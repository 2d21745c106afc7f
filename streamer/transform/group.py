"""group: upsert the company, and the user in it."""

from streamer.events.calls import Group, JsonDict
from streamer.events.values import id_text
from streamer.transform.choices import Link
from streamer.transform.fields import put_custom
from streamer.transform.identity import grouped_user
from streamer.transform.operations import MetricModel, Operation, Transformed, UpsertCompany, UpsertEnduser
from streamer.transform.pushed import metrics_of
from streamer.transform.ruled import Metrics, apply_rules
from streamer.transform.rules import Rules


def group(call: Group, rules: Rules) -> Transformed:
    """An upsert of the company; then, where a user is named and rules allow, of that user in it.

    The company's metrics come last.
    """
    traits = call.traits
    fields: JsonDict = {}
    custom: JsonDict = {}
    metrics: Metrics = []
    apply_rules(rules.group, traits, fields, custom, metrics)
    number = traits.get("id")
    is_told = rules.group.keeps_others and not rules.group.touches_references
    if number is not None and id_text(number) != call.group_id and is_told:
        put_custom(custom, "id", number)
    company = UpsertCompany(call.group_id, fields, custom)
    operations: tuple[Operation, ...] = (company,)
    external_id, email = grouped_user(call)
    if rules.link is not Link.NEVER and (external_id is not None or email is not None):
        always = call.group_id if rules.link is Link.ALWAYS else None
        fallback = call.group_id if rules.link is Link.IF_ABSENT else None
        member = UpsertEnduser(external_id, email, always, fallback_company=fallback)
        operations = (company, member)
    if metrics:
        operations += metrics_of(MetricModel.COMPANY, call.group_id, metrics, call)
    return Transformed(operations)
