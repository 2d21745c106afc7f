"""Runs pytest on each test named on standard input, in a fork of its own; answers with its exit code.

Most of a run of one test is loading pytest and what tests and sources import of others: done here once.
Nothing of the project is, so each fork reads its files as they are at that moment. What pytest says of
the last one is in the file named as the argument.
"""

import asyncio
import gc
import os
import sys

import confluent_kafka.admin
import fastavro
import httpx
import hypothesis.strategies
import jsonschema
import msgspec
import pydantic
import pytest
import rich.table
import structlog

LOADED = (
    asyncio,
    confluent_kafka.admin,
    fastavro,
    httpx,
    hypothesis.strategies,
    jsonschema,
    msgspec,
    pydantic,
    rich.table,
    structlog,
)
# No plugin is loaded but this: pytest would want to rewrite the assertions of hypothesis, loaded already.
ARGUMENTS = ("-q", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--timeout", "60")
# That a property fails is enough: the smallest example of it, which takes longest to find, is not told, nor
# is one remembered for another run. conftest.py builds on what is the default here.
_FAILS = hypothesis.settings(phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate))
hypothesis.settings.register_profile("fails", _FAILS)
hypothesis.settings.load_profile("fails")
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def run(test: str, told: str) -> int:
    """The exit code of pytest for this test."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    code = pytest.main([*ARGUMENTS, test])
    sys.stdout.flush()
    os._exit(code)


def main() -> None:
    """Until standard input ends."""
    # pytest collects what is left over several times at its end: not what was loaded here.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(f"{run(line.rstrip(), sys.argv[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
