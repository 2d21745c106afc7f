"""One sandbox served for the whole folder; every test empties it first. And a real tenant, if lent."""

import os
from collections.abc import Iterator

import pytest

from streamer.planhat.credentials import Credentials
from streamer.standins.planhat.switches import Switches
from tests.planhat_contract.served import UNLIMITED, ServedSandbox
from tests.planhat_contract.tenant import Planhat

ANALYTICS_URL = "https://analytics.planhat.com"


def _lent(name: str) -> str:
    return os.environ.get(f"STREAMER_TEST_PLANHAT_{name}", "")


IS_LENT = all(_lent(name) for name in ("API_TOKEN", "TENANT_TOKEN", "API_URL"))


@pytest.fixture(scope="session")
def served() -> Iterator[ServedSandbox]:
    """A running sandbox that remembers every write."""
    with ServedSandbox(Switches(history=500)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module", params=["sandbox", "real_tenant"] if IS_LENT else ["sandbox"])
def planhat(request: pytest.FixtureRequest) -> Iterator[Planhat]:
    """A Planhat to ask; a module's own, since others empty the sandbox."""
    asked = real_tenant() if request.param == "real_tenant" else at_sandbox(request)
    try:
        yield asked
    finally:
        asked.close()


def at_sandbox(request: pytest.FixtureRequest) -> Planhat:
    """The sandbox by default, without limits that go by real time."""
    served = request.getfixturevalue("served")
    sandbox = served.reset(UNLIMITED)
    return Planhat(served.url, served.url, Credentials(sandbox.api_token, sandbox.tenant_token), sandbox)


def real_tenant() -> Planhat:
    """The tenant that was lent."""
    credentials = Credentials(_lent("API_TOKEN"), _lent("TENANT_TOKEN"))
    analytics_url = _lent("ANALYTICS_URL") or ANALYTICS_URL
    return Planhat(_lent("API_URL").rstrip("/"), analytics_url.rstrip("/"), credentials)
