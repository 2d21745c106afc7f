"""What Planhat may do: its switches with the values each is turned to, and its faults.

`chance` chooses among them; a test holds both against the sandbox's own lists.
"""

import random
from collections.abc import Mapping, Sequence

from streamer.standins.planhat.switches import PERMISSIONS

STATUSES = (500, 500, 503, 504, 408, 425, 413, 401, 403, 404, 400, 422, 200, 302)
BODIES = ("", "{}", "[]", "null", '{"created":9999}', '{"createdErrors":[]}')
"""Instead of a page of HTML: nothing, JSON that is no summary, and a summary that cannot be one."""
SECONDS = (0.5, 3, 9)
"""Within the deadlines, past that of the analytics host, past both."""

SWITCHES: Mapping[str, Sequence[str]] = {
    "error_shape": ("item-error", "keys-error", "text"),
    "unknown_company": ("uncounted", "nonupdates", "error"),
    "duplicates_in_request": ("error", "in-turn"),
    "overlap_errors": ("on", "off"),
    "external_id_scope": ("company", "global"),
    "matching": ("cascade", "cascade-overwriting", "highest-given"),
    "ambiguous_match": ("oldest", "refused"),
    "email_case": ("ignored", "exact"),
    # Refused, everything is, since all of it names its source: until a person puts that right.
    "unknown_fields": ("dropped", "stored", "refused"),
    # Never without `color`, by which the last write is seen.
    "custom_fields": ("", "color", "color,size"),
    "unknown_custom": ("dropped", "stored", "refused"),
    "odd_custom": ("refused", "stored"),
    "null_values": ("clears", "ignored", "stored"),
    "custom_merge": ("per-key", "replace"),
    "enduser_name": ("optional", "required"),
    "auto_domains": ("on", "off"),
    "reply_keys": ("known", "id-only"),
    "permission_errors_key": ("on", "off"),
    "denied": (*PERMISSIONS, "endusers.create,endusers.update", ",".join(PERMISSIONS)),
    "unauthorized_body": ("text", "json"),
    "header_spelling": ("x-rate-limit", "x-ratelimit", "none"),
    "reset_header": ("seconds", "epoch"),
    "retry_after": ("none", "seconds", "date"),
    "quota_window": ("fixed", "sliding"),
    "calls_per_minute": ("5", "20", "60"),
    "calls_per_second": ("1", "2"),
    "parallel_calls": ("1", "2"),
    "activity_keys": ("any", "2017", "2023"),
    "activity_reply": ("empty", "text", "json", "created"),
    "activity_creates": ("on", "off"),
    # As `SECONDS`: shorter than a deadline, and longer.
    "service_seconds": ("0.2", "1.5", "7"),
    "analytics_seconds": ("0.2", "1.2", "3"),
}
OF_FEATURES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "metrics": {
        "metric_error_shape": ("item-error", "keys-error", "text"),
        "unknown_parent": ("ignored", "error"),
        "metric_token": ("on", "off"),
    },
    "deletes": {"delete_reply": ("counted", "no-content", "empty")},
    "passthrough": {"dock_pages": ("on", "off"), "dock_token": ("on", "off")},
}
"""Switches that say something only where calls become such operations: turned there, and there alone."""
COMPANIONS: Mapping[str, Sequence[str]] = {
    "unknown_custom": ("custom_fields=color",),
    "header_spelling": ("calls_per_minute=20",),
    "reset_header": ("calls_per_minute=5", "header_spelling=x-ratelimit"),
    "retry_after": ("calls_per_minute=5",),
    "quota_window": ("calls_per_minute=5",),
}
"""What is turned together with a switch that would say nothing by itself."""

NOT_TURNED: Mapping[str, str] = {
    "oversize_status": "No bulk here has more than four operations; the limit of 5,000 is the sandbox's own.",
    "history": "The laws read there what was written: it is as long as it must be for them.",
    "keep_activities": "A view for people: nothing is answered differently.",
    "keep_requests": "A view for people, of the HTTP server that is not here.",
    "keep_ignored": "What is ignored is read there by the simulator: it must be kept.",
    "duplicate_view": "A count for people: copies are never refused.",
}
"""Switches left alone, and why."""

FAULT_KINDS = (
    ["status"] * 6 + ["reset", "slow", "drip", "cut", "lost_reply", "refuse", "overlap", "ignore"]
)  # fmt: skip


AIMS: Mapping[str, Sequence[str]] = {
    "metrics": ("endpoint=metrics", "endpoint=metrics"),
    "deletes": ("endpoint=endusers method=DELETE", "endpoint=endusers method=GET"),
    "passthrough": ("endpoint=segment",) * 6,
}
"""What a fault strikes besides, by feature."""


def switch_words(dice: random.Random, features: Sequence[str] = ()) -> list[str]:
    """The words of a step `switch`, in a world with these features (names of `OF_FEATURES`)."""
    if features and dice.random() < 0.25:
        switches = OF_FEATURES[dice.choice(features)]
        name = dice.choice(list(switches))
        return [f"{name}={dice.choice(switches[name])}"]
    name = dice.choice(list(SWITCHES))
    together = COMPANIONS.get(name, ()) if dice.random() < 0.7 else ()
    return [*together, f"{name}={dice.choice(SWITCHES[name])}"]


def fault_words(dice: random.Random, features: Sequence[str] = ()) -> list[str]:
    """The words of a step `fault`, in a world with these features."""
    kind = dice.choice(FAULT_KINDS)
    aims = ["endpoint=any", "endpoint=companies", "endpoint=endusers", "endpoint=activities"]
    aims += [aim for feature in features for aim in AIMS[feature]]
    words = [f"kind={kind}", *dice.choice(aims).split()]
    match kind:
        case "status":
            words += _status_words(dice)
        case "slow":
            words.append(f"seconds={dice.choice(SECONDS)}")
        case "drip":
            words.append(f"bytes_per_second={dice.choice([20, 100, 1000])}")
        case "lost_reply" if dice.random() < 0.5:
            words.append(f"seconds={dice.choice(SECONDS)}")
        case "refuse" if dice.random() < 0.3:
            words.append("error=name_must_be_specified")
    words.append(f"times={dice.choice([1, 1, 2, 4, 'always'])}")
    for name, values in (("every", (2, 3)), ("skip", (1, 2)), ("for_seconds", (2, 30))):
        if dice.random() < 0.15:
            words.append(f"{name}={dice.choice(values)}")
    return words


def aimed_words(dice: random.Random, feature: str) -> list[str]:
    """The words of a step `fault` that waits for the first operations of a feature: they are few."""
    words = [dice.choice(AIMS[feature]), f"times={dice.choice([1, 1, 2])}", f"every={dice.choice([1, 2, 3])}"]
    if feature == "metrics" and dice.random() < 0.7:
        kind = ["kind=refuse", "error=no_such_value"]
    elif dice.random() < 0.5:
        kind = [f"kind={dice.choice(['lost_reply', 'reset', 'cut'])}"]
    else:
        kind = ["kind=status", *_status_words(dice)]
    return [*kind, *" ".join(words).split()]


def _status_words(dice: random.Random) -> list[str]:
    status = dice.choice([429, dice.choice(STATUSES)])
    words = [f"status={status}"]
    if status == 429 and dice.random() < 0.5:
        words.append(f"after={dice.choice([1, 5, 30])}")
    if dice.random() < 0.3:
        words.append(f"body={dice.choice(BODIES)}")
    return words
