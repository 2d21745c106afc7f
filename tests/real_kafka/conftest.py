"""What tests of the whole pipeline share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from streamer.standins.planhat.child import SandboxProcess
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.pipeline import SANDBOX_SWITCHES, Pipeline


@pytest.fixture(scope="module")
def own_kafka(real_kafka: RealKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A broker to be restarted, killed and stopped in its tracks without harm to other tests'."""
    real_kafka.require_owned()
    with RealKafka(tmp_path_factory.mktemp("own-kafka")) as kafka:
        yield kafka


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """A Planhat of the test's own, in a child process."""
    with SandboxProcess(SANDBOX_SWITCHES) as running:
        yield running


@pytest.fixture
def piped(
    real_kafka: RealKafka, sandbox: SandboxProcess, tmp_path: Path
) -> Iterator[Callable[..., Pipeline]]:
    """Make pipelines from the real Kafka to the sandbox; every member is ended with the test."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Pipeline:
            return stack.enter_context(Pipeline(real_kafka, sandbox, tmp_path, **settings))

        yield make
