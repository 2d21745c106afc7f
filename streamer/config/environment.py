"""From environment variables and the files they name to Settings, or to every problem at once."""

import difflib
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr, ValidationError

from streamer.config.contradictions import contradictions
from streamer.config.fields import PREFIX, variable_name
from streamer.config.masking import masked_path
from streamer.config.settings import Settings
from streamer.config.table import allowed_values, is_secret, shown
from streamer.config.values import PlanhatMode, is_secret_property
from streamer.errors import MASK, SHORTEST_SECRET, SettingsError

PropertyProblems = Callable[[Mapping[str, str]], list[str]]
"""Judges properties for librdkafka, naming their variable; lives in kafka/, out of this room's reach."""

FILE_SUFFIX = "_FILE"
MAX_FILE_BYTES = 2**20
UNSET = {
    "kafka_bootstrap_servers": "not-set",
    "planhat_tenant_token": "00000000-0000-0000-0000-000000000000",
    "planhat_api_token": "not-set",
}
"""What required settings hold for commands that connect to nothing, and while others are judged."""

ALWAYS_NEEDED = (
    ". It is needed beside the API token too: activities and metrics name the tenant by it; alone it is "
    "enough for passthrough mode"
)

_SERVICE_LINK = re.compile(
    r"STREAMER(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_LINK_PORT = re.compile(r"(tcp|udp|sctp)://")


class Tokens(NamedTuple):
    """Planhat's two tokens."""

    tenant: SecretStr
    api: SecretStr | None
    """None in passthrough mode."""


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    needs: Collection[str] = tuple(UNSET),
    property_problems: PropertyProblems | None = None,
) -> Settings:
    """Read every setting from `environ` (the process environment when None).

    `needs`: the required settings that this command cannot do without; others may be missing.
    Raises SettingsError with every problem: wrong, missing, unknown and contradictory settings.
    """
    variables = os.environ if environ is None else environ
    texts, sources, problems = _texts(variables)
    settings, field_problems, doubtful = _validated(texts, needs)
    problems += field_problems
    if property_problems is not None and "kafka_properties" not in doubtful:
        problems += property_problems(settings.kafka_properties)
    settings = settings.with_sources(sources)
    # Nothing can be at odds with what this command does without: a stand-in may stand there, or nothing.
    unjudged = doubtful | (UNSET.keys() - set(needs))
    problems += [one.problem for one in contradictions(settings) if unjudged.isdisjoint(one.fields)]
    if problems:
        raise SettingsError([_without_secrets(problem, texts) for problem in problems])
    return settings


def reload_secrets(environ: Mapping[str, str] | None = None) -> Tokens:
    """Read Planhat's tokens again, from their files if they came from files.

    Raises SettingsError naming what cannot be read; the tokens in force stay good until then.
    """
    variables = os.environ if environ is None else environ
    names = tuple(variable_name(field) for field in ("planhat_tenant_token", "planhat_api_token"))
    relevant = {name: text for name, text in variables.items() if name.removesuffix(FILE_SUFFIX) in names}
    settings = load_settings(relevant | {variable_name("kafka_bootstrap_servers"): "not-set"})
    return Tokens(settings.planhat_tenant_token, settings.planhat_api_token)


def _texts(variables: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Texts and origins by field, and the problems of finding them. An empty variable is not set."""
    texts: dict[str, str] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for field in Settings.model_fields:
        name = variable_name(field)
        text, path = variables.get(name, ""), variables.get(name + FILE_SUFFIX, "")
        if text and path:
            problems.append(f"{name} and {name}{FILE_SUFFIX} are both set: keep one of them")
        if text and not _is_service_link(name, text):
            texts[field], sources[field] = text.rstrip("\r\n"), "environment"
        elif path:
            content, problem = _content(Path(path))
            if problem:
                problems.append(f"{name}{FILE_SUFFIX}={masked_path(path)}: {problem}")
            texts[field], sources[field] = content, "file"
    problems += _unknown(variables)
    return texts, sources, problems


def _content(path: Path) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return "", f"the file cannot be read ({error.strerror}); mount it or correct the path"
    if len(content) > MAX_FILE_BYTES:
        return "", f"the file is larger than {MAX_FILE_BYTES} bytes; no setting is"
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return "", "the file is not UTF-8 text"
    return text, "" if text else "the file is empty"


def _validated(texts: Mapping[str, str], needs: Collection[str]) -> tuple[Settings, list[str], set[str]]:
    """Settings in which unusable values are replaced by defaults, the problems, and those fields."""
    given = _stand_ins(texts, needs)
    given |= {field: text for field, text in texts.items() if text}
    problems: list[str] = []
    doubtful = {field for field, text in texts.items() if not text}
    try:
        return Settings.model_validate(given), problems, doubtful
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=False):
            field = str(detail["loc"][0])
            if field in doubtful or detail["type"] == "default_factory_not_called":
                continue
            doubtful.add(field)
            problems.append(_problem(field, texts.get(field), detail["type"], detail["msg"]))
    sound = {field: text for field, text in given.items() if field not in doubtful}
    # That the API token is missing says something, also beside other mistakes.
    is_missing = "planhat_api_token" in needs and "planhat_api_token" not in texts
    others = {
        field: text for field, text in UNSET.items() if not (is_missing and field == "planhat_api_token")
    }
    return Settings.model_validate(others | sound), problems, doubtful


def _stand_ins(texts: Mapping[str, str], needs: Collection[str]) -> dict[str, Any]:
    """What settings hold that this command can do without, and that are not set.

    The API token's absence says something: with the tenant token alone the mode is passthrough.
    """
    mode = texts.get("planhat_mode") or (
        PlanhatMode.PASSTHROUGH if texts.get("planhat_tenant_token") else PlanhatMode.API
    )
    wanted = UNSET if mode != PlanhatMode.PASSTHROUGH else UNSET.keys() - {"planhat_api_token"}
    return {field: UNSET[field] for field in wanted if field not in needs}


def _problem(field: str, text: str | None, kind: str, sentence: str) -> str:
    name, allowed = variable_name(field), allowed_values(field)
    if text is None:
        why = ALWAYS_NEEDED if field == "planhat_tenant_token" else ""
        return f"{name} is required and not set: {allowed}{why}"
    if field == "mapping_file":
        mistakes = sentence.removeprefix("Value error, ").splitlines()
        return "\n".join(f"{name}={shown(field, text)}: {mistake}" for mistake in mistakes)
    own_words = sentence.removeprefix("Value error, ") + "; " if kind == "value_error" else ""
    return f"{name}={shown(field, text)}: {own_words}allowed: {allowed}"


def _without_secrets(problem: str, texts: Mapping[str, str]) -> str:
    """The problem without any secret that is set, should it stand in another variable as well."""
    secrets = [text for field, text in texts.items() if is_secret(field)]
    for line in texts.get("kafka_properties", "").splitlines():
        name, _, value = line.partition("=")
        if is_secret_property(name):
            secrets.append(value.strip())
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            problem = problem.replace(secret, MASK)
    return problem


def _is_service_link(name: str, text: str) -> bool:
    """Whether Kubernetes set this, for a Service whose name begins with `streamer`."""
    return bool(_SERVICE_LINK.fullmatch(name)) or (name.endswith("_PORT") and bool(_LINK_PORT.match(text)))


def _unknown(variables: Mapping[str, str]) -> list[str]:
    known = [variable_name(field) for field in Settings.model_fields]
    known += [name + FILE_SUFFIX for name in known]
    strangers = sorted(
        name
        for name, text in variables.items()
        if name.startswith(PREFIX)
        and name not in known
        and not name.startswith(PREFIX + "TEST_")
        and not _is_service_link(name, text)
    )
    return [f"{name} is not a setting{_suggestion(name, known)}" for name in strangers]


def _suggestion(name: str, known: Iterable[str]) -> str:
    nearest: Sequence[str] = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {nearest[0]}?" if nearest else "; `streamer settings` lists those there are"
