"""What all tests share: a real Kafka, the words at the end of a run, how properties are tried.

Tests may run in several workers: what is told at the end travels with the reports.
"""

import gc
import logging
import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterator

import hypothesis
import pytest
import structlog

from tests.real_kafka.cluster import RealKafka, unavailable_reason

MARKER = "real_kafka"
TABLE = "table"
_LAST_WORDS = pytest.StashKey[str]()

# No deadline for an example: on a busy machine it would tell of the machine. pytest's time-out stands.
hypothesis.settings.register_profile("streamer", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("streamer")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several workers: files that last long first, lest one of them runs on alone at the end.

    Those against a real Kafka, which mostly wait, then those marked `long`; the many short ones fill up
    what is left. (Needs --no-loadscope-reorder: xdist would begin with those that have the most tests.)
    """
    if not hasattr(config, "workerinput"):
        return
    real = {item.path for item in items if item.get_closest_marker(MARKER)}
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: (item.path not in real, item.path not in long))


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """Started in the background of a script, tests ignore SIGINT, and so would all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """What a test configures of logging, for the whole process, is undone."""
    handlers, level = logging.root.handlers[:], logging.root.level
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def clients_end_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Clients of librdkafka that a test leaves in circles end with it, on this thread.

    Left to chance they are collected on any thread that runs Python, such as an admin client's own when it
    hands over an answer: a client that ends itself there aborts the process, or waits for itself for ever.
    """
    yield
    if request.node.get_closest_marker(MARKER) is not None or "kafka" in request.node.path.parts:
        gc.collect()


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A running Apache Kafka, one a worker; skips where none can run (fails with CI=true)."""
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


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a table at the end of the run, where it is seen without asking."""
    return lambda table: request.node.user_properties.append((TABLE, table))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables of this run."""
    for report in _ended(terminalreporter):
        for name, table in report.user_properties:
            if name == TABLE:
                terminalreporter.write_line(str(table))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Note whether a real Kafka was there; with CI=true a whole run without one is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    ran = _ran(reporter)
    why = unavailable_reason() or "none of its tests was selected"
    session.config.stash[_LAST_WORDS] = (
        f"real Kafka: {ran} ran" if ran else f"real Kafka: NOT RUN ({why}): see CONTRIBUTING"
    )
    is_whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if _is_ci() and is_whole and not ran and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say it on the very last line: below pytest's own summary, which comes after every other hook."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    last_words = config.stash.get(_LAST_WORDS, None)
    if reporter is not None and last_words is not None:
        reporter.write_line(last_words)


def _ended(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """A report for each test that passed or failed."""
    ended = reporter.getreports("passed") + reporter.getreports("failed")
    return [each for each in ended if isinstance(each, pytest.TestReport) and each.when == "call"]


def _ran(reporter: pytest.TerminalReporter) -> int:
    return sum(MARKER in each.keywords for each in _ended(reporter))


def _is_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"
