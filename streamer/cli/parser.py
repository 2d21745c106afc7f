"""The words a command line may hold."""

import argparse
import importlib
from typing import Any

from streamer import __version__, is_compiled
from streamer.cli import dead_letters, explain, mapping, schemas, transform, words
from streamer.cli.commands import EXECUTE, STAND_INS


class _Parser(argparse.ArgumentParser):
    """A parser that can leave it to a module which arguments it has, asked only when it is used."""

    def __init__(self, *, module: str | None = None, **options: Any) -> None:  # noqa: ANN401 - argparse's
        shape = argparse.RawDescriptionHelpFormatter
        super().__init__(**{"formatter_class": shape, "allow_abbrev": False, **options})
        self._module = module

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as inherited
        """Ask the module, then parse."""
        module, self._module = self._module, None
        if module is not None:
            importlib.import_module(module).add_arguments(self)
        return super().parse_known_args(args, namespace)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; every command brings `execute` along."""
    parser = _Parser(prog="streamer", description=words.DESCRIPTION, epilog=words.EPILOG)
    parser.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"streamer {__version__}{' (compiled)' if is_compiled() else ''}",
        help="show the version and exit",
    )
    _add_verbose(parser, default=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add_arguments = {
        "transform": transform.add_arguments,
        "explain": explain.add_arguments,
        "publish": _add_publish,
        "mapping": _add_mapping,
        "dead-letters": _add_dead_letters,
        "schemas": _add_schemas,
    }
    for name, text in words.COMMANDS.items():
        command = _add_command(commands, name, text, module=STAND_INS.get(name))
        command.set_defaults(execute=EXECUTE[name])
        add_arguments.get(name, _add_nothing)(command)
    return parser


def _add_command(
    commands: Any,  # noqa: ANN401 - argparse has no public name for it
    name: str,
    text: words.CommandHelp,
    module: str | None = None,
) -> _Parser:
    command: _Parser = commands.add_parser(
        name, help=text.about, description=text.more, epilog=f"examples:\n{text.examples}", module=module
    )
    _add_verbose(command, default=argparse.SUPPRESS)
    return command


def _add_verbose(parser: argparse.ArgumentParser, *, default: object) -> None:
    text = "log everything, and show tracebacks (STREAMER_LOG_LEVEL)"
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help=text)


def _add_nothing(_parser: argparse.ArgumentParser) -> None:
    """Most commands take their settings from the environment alone."""


def _add_dead_letters(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="action")
    add_arguments = {
        "list": dead_letters.add_list,
        "show": dead_letters.add_show,
        "replay": dead_letters.add_replay,
    }
    for name, text in words.DEAD_LETTERS.items():
        add_arguments[name](_add_command(actions, name, text))


def _add_schemas(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="action")
    add_arguments = {
        "list": schemas.add_list,
        "check": schemas.add_check,
        "register": schemas.add_register,
    }
    for name, text in words.SCHEMAS.items():
        add_arguments[name](_add_command(actions, name, text))


def _add_mapping(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="action")
    add_arguments = {"check": mapping.add_check, "test": mapping.add_test, "fields": mapping.add_fields}
    for name, text in words.MAPPING.items():
        add_arguments[name](_add_command(actions, name, text))


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|-", help="events as JSON; - reads standard input")
    parser.add_argument("--topic", help="topic to write to (STREAMER_KAFKA_TOPIC)")
    text = "field that becomes the record's key, else anonymousId; empty for no key (%(default)s)"
    parser.add_argument("--key", default="userId", metavar="FIELD", help=text)
    text = "single-object, confluent:<schema id>, bare or json (%(default)s)"
    parser.add_argument("--framing", default="single-object", help=text)
