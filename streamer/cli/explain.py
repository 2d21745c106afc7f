"""`streamer explain`: one object's story, for whoever asks why somebody is not in Planhat."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

from streamer.cli.moments import MOMENT
from streamer.config import Settings
from streamer.errors import PlanhatMisconfigured, UsageError

if TYPE_CHECKING:
    from streamer.app.story.values import Wanted

EXIT_CLEAN: Final = 0
SINCE: Final = "7d"
"""How far back is looked if nobody says."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `explain`."""
    about = parser.add_mutually_exclusive_group(required=True)
    about.add_argument("--user", metavar="ID", help="the enduser of this external id (`userId`)")
    about.add_argument("--email", metavar="ADDRESS", help="the enduser of this e-mail address")
    about.add_argument("--company", metavar="ID", help="the company of this external id (`groupId`)")
    parser.add_argument(
        "--since",
        default=SINCE,
        metavar="TIME",
        help=f"look at events written from then on ({MOMENT}; %(default)s)",
    )
    parser.add_argument(
        "--ask-planhat",
        action="store_true",
        help="ask Planhat for its present records: two calls of the quota at most",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--show-values", action="store_true", help="show what is said of it, unmasked")


def needs_of(args: argparse.Namespace) -> tuple[str, ...]:
    """Settings that the command cannot do without."""
    return ("kafka_bootstrap_servers", *(("planhat_api_token",) if args.ask_planhat else ()))


def wanted_of(args: argparse.Namespace) -> "Wanted":
    """The object that is named. Raises UsageError where it has no name."""
    from streamer.app.story.values import Kind, Wanted  # noqa: PLC0415 - slow to load

    for kind in Kind:
        name = getattr(args, kind.value)
        if name is not None:
            if not name.strip():
                raise UsageError(f"--{kind.value} names nobody: give an id or an address")
            return Wanted(kind, name.strip())
    raise UsageError("give --user, --email or --company")


def explain(settings: Settings, args: argparse.Namespace) -> int:
    """Tell the story. Raises PlanhatMisconfigured, once it is told, where Planhat refuses our credentials."""
    from streamer.app.story.explaining import explain as find_out  # noqa: PLC0415 - slow to load
    from streamer.cli.progress_screen import ProgressScreen  # noqa: PLC0415 - as above
    from streamer.cli.story_tables import print_story, story_json  # noqa: PLC0415 - as above
    from streamer.cli.tables import print_json  # noqa: PLC0415 - as above
    from streamer.letters.selection import moment_ms  # noqa: PLC0415 - as above

    wanted = wanted_of(args)
    since_ms = moment_ms(args.since, int(time.time() * 1000))
    if since_ms is None:
        raise UsageError(f"--since {args.since} is no time; {MOMENT}")
    if args.ask_planhat and settings.planhat_api_token is None:
        raise UsageError("--ask-planhat needs STREAMER_PLANHAT_API_TOKEN: the tenant token asks for nothing")
    with ProgressScreen(is_quiet=args.json) as screen:
        story = find_out(settings, wanted, since_ms, screen, asks_planhat=args.ask_planhat)
    if args.json:
        print_json(story_json(story, shows_values=args.show_values))
    else:
        print_story(story, shows_values=args.show_values)
    sys.stdout.flush()
    if story.present is not None and story.present.is_refused:
        raise PlanhatMisconfigured(
            f"{settings.planhat_api_url} refused us ({story.present.detail}); the rest is told above. Check "
            "STREAMER_PLANHAT_API_TOKEN and that it may read endusers and companies, and that "
            "STREAMER_PLANHAT_SUBDOMAIN is the tenant's region."
        )
    return EXIT_CLEAN
