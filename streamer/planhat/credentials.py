"""The two tokens Planhat knows us by. They are secrets: no repr, no log, no error shows them."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """What authorises the main API (Bearer) and what names the tenant on the analytics host (its path)."""

    api_token: str | None = field(repr=False)
    """None where calls are only forwarded, which takes the tenant token alone."""
    tenant_token: str = field(repr=False)
