"""`streamer sandbox`: its arguments, and running it until it is told to stop."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from streamer.errors import UsageError
from streamer.standins.planhat import guide
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN, Sandbox
from streamer.standins.planhat.switches import Switches, notes, with_changes

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `streamer sandbox`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port to serve on; 0 picks a free one (%(default)s)"
    )
    parser.add_argument(
        "--api-token", default=DEFAULT_API_TOKEN, metavar="TOKEN", help="the API token it takes (%(default)s)"
    )
    parser.add_argument(
        "--tenant-token",
        default=DEFAULT_TENANT_TOKEN,
        metavar="UUID",
        help="the tenant it is (%(default)s)",
    )
    parser.add_argument(
        "--quota",
        type=int,
        metavar="CALLS",
        help="main API calls a minute, 0 for no limit; the same as --switch calls_per_minute=CALLS",
    )
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how it behaves where Planhat's behaviour is not documented; may be given often",
    )
    parser.add_argument("--json-ready", action="store_true", help="print the address as a line of JSON")
    parser.add_argument("--end-with-stdin", action="store_true", help="stop when standard input ends")
    parser.epilog = _epilog()


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises UsageError."""
    switches = switches_of(args.switch, args.quota)
    if not 0 <= args.port <= 65_535:
        raise UsageError(f"--port cannot be {args.port}; allowed: 0 to 65535")
    sandbox = Sandbox(switches, api_token=args.api_token, tenant_token=args.tenant_token)
    try:
        asyncio.run(_run(sandbox, args))
    except OSError as error:
        raise UsageError(
            f"The sandbox cannot serve on {args.host}:{args.port} ({error.strerror or error}). "
            "Choose another with --port, or --port 0 for any that is free."
        ) from error
    return 0


def switches_of(settings: list[str], quota: int | None) -> Switches:
    """Switches from `NAME=VALUE` arguments; raises UsageError naming every wrong one."""
    changes: dict[str, object] = {}
    problems = []
    for setting in settings:
        name, equals, value = setting.partition("=")
        if equals:
            changes[name.strip()] = value
        else:
            problems.append(f"--switch {setting}: NAME=VALUE is expected")
    if quota is not None:
        changes["calls_per_minute"] = quota
    if problems:
        raise UsageError("\n".join(problems))
    return with_changes(Switches(), changes)


async def _run(sandbox: Sandbox, args: argparse.Namespace) -> None:
    try:
        from streamer.standins.planhat.server import serve  # noqa: PLC0415 -- needs an optional dependency
    except ModuleNotFoundError as error:
        raise UsageError(
            f'The sandbox needs {error.name}: install it with pip install "segment-planhat-streamer[demo]".'
        ) from error
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if args.end_with_stdin:
        _stop_at_end_of_stdin(loop, stop.set)
    await serve(
        sandbox, args.host, args.port, lambda url: _tell_ready(url, sandbox, as_json=args.json_ready), stop
    )


def _stop_at_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: "Callable[[], None]") -> None:
    """A parent that holds the other end of our standard input takes us along when it dies."""

    def read() -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(0, 4096):
                loop.remove_reader(0)
                stop()

    os.set_blocking(0, False)
    loop.add_reader(0, read)


def _tell_ready(url: str, sandbox: Sandbox, *, as_json: bool) -> None:
    line = f"Planhat sandbox on {url} (tenant {sandbox.tenant_token}); what it holds: {url}/"
    if as_json:
        line = json.dumps({"url": url, "pid": os.getpid()})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _epilog() -> str:
    lines = [
        "switches, with the source of each default (D documented by Planhat or Segment, D3 a third party's",
        "summary, C client code, I inferred, S the sandbox's own):",
    ]
    for note in notes(Switches()):
        lines.append(f"  {note.name}={note.value or '(none)'}  [{note.tag}] {note.about}")
        lines.append(f"      {note.allowed}")
    lines += ["", *guide.lines()]
    lines += [
        "",
        "examples:",
        "  # A sandbox whose errors are bare texts and whose quota is small.",
        "  $ streamer sandbox --switch error_shape=text --quota 20",
        "",
        "  # Answer the next three bulks of endusers with 503.",
        '  $ curl -d \'{"kind": "status", "endpoint": "endusers", "times": 3}\' \\',
        "      http://127.0.0.1:8080/sandbox/faults",
        "",
        "  # Planhat is away, until the faults are forgotten.",
        '  $ curl -d \'{"kind": "status", "times": null}\' http://127.0.0.1:8080/sandbox/faults',
        "  $ curl -X DELETE http://127.0.0.1:8080/sandbox/faults",
    ]
    return "\n".join(lines).replace("%", "%%")
