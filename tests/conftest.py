"""What all tests share: one real Kafka a run, and the line that says whether it ran."""

import os
from collections.abc import Generator, Iterator

import pytest

from tests.real_kafka.cluster import RealKafka, unavailable_reason

MARKER = "real_kafka"


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A running Apache Kafka, shared by the whole run; skips where none can run (fails with CI=true)."""
    reason = unavailable_reason()
    if reason is not None:
        (pytest.fail if _is_ci() else pytest.skip)(f"real Kafka: NOT RUN ({reason}): see CONTRIBUTING")
    with RealKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the broker's log beside a failure."""
    report = yield
    kafka = getattr(item, "funcargs", {}).get("real_kafka")
    if report.failed and isinstance(kafka, RealKafka):
        report.sections.append(("Kafka broker log", kafka.log_tail()))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
    """Say whether a real Kafka was there, after everything else."""
    yield
    ran = _ran(terminalreporter)
    if ran:
        terminalreporter.write_line(f"real Kafka: {ran} ran")
    else:
        why = unavailable_reason() or "none of its tests was selected"
        terminalreporter.write_line(f"real Kafka: NOT RUN ({why}): see CONTRIBUTING")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With CI=true a whole run without a real Kafka is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    is_whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if _is_ci() and is_whole and reporter is not None and not _ran(reporter) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _ran(reporter: pytest.TerminalReporter) -> int:
    ended = reporter.getreports("passed") + reporter.getreports("failed")
    return sum(1 for each in ended if MARKER in getattr(each, "keywords", ()) and each.when == "call")


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
