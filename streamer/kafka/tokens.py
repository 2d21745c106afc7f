"""Tokens in the place of a password (SASL/OAUTHBEARER): librdkafka asks an identity provider for them.

By its method `oidc` it does that by itself, on a thread of its own, when a client is made and again before
each token runs out; so whoever only asks, and polls nothing, has one as well.
"""

from collections.abc import Mapping
from typing import Final

ENDPOINT: Final = "sasl.oauthbearer.token.endpoint.url"
_NOWHERE: Final = "http://127.0.0.1:1/"


def lets_in_by_token(properties: Mapping[str, str]) -> bool:
    """Whether these properties have clients show a token."""
    mechanism = properties.get("sasl.mechanism", properties.get("sasl.mechanisms", ""))
    return mechanism == "OAUTHBEARER" and "SASL" in properties.get("security.protocol", "").upper()


def token_problem(properties: Mapping[str, str]) -> str | None:
    """What keeps clients with these properties from ever having a token, or None."""
    is_made_up = properties.get("enable.sasl.oauthbearer.unsecure.jwt", "").lower() == "true"
    method = properties.get("sasl.oauthbearer.method", "").lower()
    if not lets_in_by_token(properties) or is_made_up or method == "oidc":
        return None
    return (
        "sasl.mechanism=OAUTHBEARER without sasl.oauthbearer.method=oidc: nobody would fetch a token. "
        f"Set it, with sasl.oauthbearer.client.id, sasl.oauthbearer.client.secret and {ENDPOINT}"
    )


def asking_nobody(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties for clients that are made to see whether they can be: they would ask for tokens at once.

    And nobody could end them before the endpoint has answered, if it is slow.
    """
    return {**properties, ENDPOINT: _NOWHERE} if properties.get(ENDPOINT) else dict(properties)
