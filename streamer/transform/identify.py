"""identify: upsert the enduser."""

from typing import Final

from streamer.events.calls import Identify, JsonDict
from streamer.events.values import id_text
from streamer.outcomes import SkipReason
from streamer.transform.choices import Companies, Flatten
from streamer.transform.fields import name_text, put_custom
from streamer.transform.identity import (
    Who,
    companies_left,
    companies_of,
    company_of,
    email_text,
    identified_user,
    is_removal,
)
from streamer.transform.operations import MetricModel, Operation, Skipped, Transformed, UpsertEnduser
from streamer.transform.pushed import metrics_of
from streamer.transform.ruled import Metrics, apply_rules, put_other, rest_of
from streamer.transform.rules import Rules
from streamer.transform.trait_rules import TraitRules

_OF_THE_USER: Final = ("id", "user_id")
_OF_THE_COMPANY: Final = ("companyId", "company_id")


def identify(call: Identify, rules: Rules) -> Transformed | Skipped:
    """One upsert of the enduser, in the company the call names, if it names one; by rule one in each.

    Its metrics come last. Never creates a company: traits of a user are no good source for one.
    """
    who = identified_user(call)
    external_id = who.external_id
    if external_id is None and who.email is None:
        return Skipped(SkipReason.ANONYMOUS)
    traits = call.traits
    ruled = rules.identify
    company = company_of(call.context, traits)
    fields: JsonDict = {}
    custom: JsonDict = {}
    metrics: Metrics | None = None if external_id is None else []
    theirs = traits
    if ruled.touches_references and is_removal(traits.get("company")):
        # What is said of a company the user leaves is no property of theirs, whatever a rule makes of it.
        theirs = {name: value for name, value in traits.items() if name != "company"}
    apply_rules(ruled, theirs, fields, custom, metrics)
    if "lastName" in fields and "name" not in fields:
        _put_full_name(fields)
    if ruled.keeps_others:
        told = _unruled(ruled, traits) if ruled.touches_references else traits
        email = told.get("email")
        if email is not None and email != who.email:
            _put_unusable_email(custom, email, ruled.flatten)
        _put_other_references(custom, told, traits, who, company, ruled.flatten)
    upsert = UpsertEnduser(external_id, who.email, company, fields, custom)
    operations: tuple[Operation, ...] = (upsert,)
    if "companies" in traits and rules.companies is Companies.ALL:
        others = companies_of(call.context, traits)[1:]
        operations += tuple(map(upsert.with_company, others))
    if metrics and external_id is not None:
        operations += metrics_of(MetricModel.ENDUSER, external_id, metrics, call)
    return Transformed(operations)


def _put_full_name(fields: JsonDict) -> None:
    """First and last name together, where both are given; half a name is not made into a whole."""
    first = name_text(fields.get("firstName"))
    last = name_text(fields.get("lastName"))
    if first and last:
        fields["name"] = f"{first} {last}"


def _unruled(rules: TraitRules, traits: JsonDict) -> JsonDict:
    """What names the user or the company, as far as no rule says where it goes."""
    told = {key: value for key, value in traits.items() if key in rules.references - rules.ruled}
    for key, parts in rules.parts.items():
        if isinstance(told.get(key), dict):
            told[key] = rest_of(told[key], parts)
    return told


def _put_unusable_email(custom: JsonDict, value: object, flatten: Flatten) -> None:
    """What stands for an e-mail and is no address goes to `custom`, as what any plain field cannot hold.

    As the plain field it would be a key, and merge everyone who is "n/a". Left out, somebody's typing
    error would vanish without a trace; in `custom` whoever looks the user up sees it, and can mend it.
    """
    if email_text(value) is None and not (isinstance(value, str) and not value.strip()):
        put_other(custom, "email", value, flatten)


def _put_other_references(
    custom: JsonDict, told: JsonDict, traits: JsonDict, who: Who, company: str | None, flatten: Flatten
) -> None:
    """Ids among the traits go to `custom` only where they say more than the item's own keys do.

    `told`: the traits as far as no rule says where they go. The same id again would only repeat it; a null
    there clears nothing, as for the keys themselves.
    """
    for key in _OF_THE_USER:
        if key in told:
            _put_unless_same(custom, key, told[key], who.external_id)
    for key in _OF_THE_COMPANY:
        if key in told and id_text(told[key]) not in companies_left(traits):
            _put_unless_same(custom, key, told[key], company)
    # What is said of a company the user leaves is no property of theirs.
    if "company" in told and not is_removal(traits["company"]):
        described = told["company"]
        if isinstance(described, dict) and "id" in described:
            _put_unless_same(custom, "company_id", described["id"], company)
            described = {key: value for key, value in described.items() if key != "id"}
            if not described:
                return
        put_other(custom, "company", described, flatten)


def _put_unless_same(custom: JsonDict, key: str, value: object, reference: str | None) -> None:
    if value is not None and id_text(value) != reference:
        put_custom(custom, key, value)
