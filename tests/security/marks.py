"""Texts that may come out nowhere, and how each is found, however it was written."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

TENANT: Final = "5ec2e700-7a3e-4c1d-8b6f-d15c105ed000"
"""In the form that a tenant token has."""
SECRETS: Final = {
    "tenant token": TENANT,
    "API token": "mkq7-api-token",
    "renewed token": "mkq7-renewed-token",
    "registry password": "mkq7-registry/pass+word",
    "SASL password": "mkq7-sasl-password",
    "key password": "mkq7-key-password",
    "OAuth secret": "mkq7-oauth-secret",
    "proxy password": "mkq7-proxy-password",
}
PERSONAL: Final = {
    "user id": "mkq7-user-id",
    "anonymous id": "mkq7-anonymous-id",
    "e-mail address": "mkq7.mail@marked.example",
    "company id": "mkq7-company-id",
    "trait": "mkq7-trait value",
    "number": "4217077345091",
    "property": 'mkq7-property "quoted" value',
    "event name": "mkq7-event name",
    "message id": "mkq7-message-id",
    "key": "mkq7-record-key",
    "header": "mkq7-original-header",
}
MARKS: Final = {**SECRETS, **PERSONAL}
USER, EMAIL, TRAIT = PERSONAL["user id"], PERSONAL["e-mail address"], PERSONAL["trait"]
NUMBER: Final = int(PERSONAL["number"])


def leaks(text: str) -> list[str]:
    """Names of the marks that stand in a text: as they are, or as anything on the way may spell them."""
    lowered = text.lower()
    return [
        name
        for name, mark in MARKS.items()
        if any((form in text) if is_exact else (form.lower() in lowered) for form, is_exact in _forms(mark))
    ]


def _forms(mark: str) -> Iterator[tuple[str, bool]]:
    """Each spelling, and whether capitals matter in it."""
    yield mark, False
    yield quote(mark, safe=""), False
    yield mark.replace('"', '\\"'), False
    yield mark.encode().hex(), False
    # Within a longer text that is encoded: at each of three places in its groups of three bytes.
    for before in range(3):
        encoded = b64encode(b"-" * before + mark.encode()).decode()
        yield encoded[4 if before else 0 : -4], True


def event(kind: str, **changes: Any) -> dict[str, Any]:
    """A call that is marked wherever it can be; a change of None takes a field away."""
    made: dict[str, Any] = {
        "type": kind,
        "messageId": PERSONAL["message id"],
        "userId": USER,
        "anonymousId": PERSONAL["anonymous id"],
        "groupId": PERSONAL["company id"],
        "previousId": USER,
        "event": PERSONAL["event name"],
        "name": PERSONAL["event name"],
        "traits": {"email": EMAIL, "name": TRAIT, "plan": TRAIT, "seats": NUMBER, "deep": {"er": [TRAIT]}},
        "properties": {"email": EMAIL, "note": PERSONAL["property"], "seats": NUMBER},
        "context": {"groupId": PERSONAL["company id"], "traits": {"email": EMAIL}, "ip": TRAIT},
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def someone(kind: str, number: int) -> dict[str, Any]:
    """A call of one of many, each with an id and an address of their own; marked all the same."""
    traits = {"email": f"{number}.{EMAIL}", "name": TRAIT, "seats": NUMBER}
    context = {"groupId": PERSONAL["company id"], "traits": {"email": f"{number}.{EMAIL}"}}
    return event(kind, userId=f"{USER}-{number}", messageId=f"m-{number}", traits=traits, context=context)
