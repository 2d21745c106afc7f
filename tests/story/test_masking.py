"""`explain` shows nobody's data unless it is asked to; who is asked about, and ids, it names."""

import json
from typing import Any

import pytest

from streamer.app.story import explaining
from streamer.app.story.values import Kind, Look, Present, Story, Wanted
from streamer.cli import main
from streamer.cli.story_tables import print_story, story_json
from tests.story.stories import ABSENT, found, group, identify, letter_of, story_of, track

PERSONAL = ("ada@acme.example", "Ada Lovelace", "+47 555", "Oslo", "ada.l@home.example", "Confidential")

Capture = pytest.CaptureFixture[str]


def _story(wanted: Wanted) -> Story:
    """A story full of what is nobody's business."""
    mail, name, phone, city, other, event = PERSONAL
    traits: dict[str, Any] = {"email": mail, "name": name, "phone": phone, "address": {"city": city}}
    bought = track("u-1", "Bought", note=event) | {"context": {"groupId": "acme", "traits": {"email": mail}}}
    nobody = identify(None, email="n/a", name=name)
    story = story_of(
        wanted, group("acme", "u-1", city=city), identify("u-1", "acme", **traits), bought, nobody
    )
    letter_of(story, 0)
    story.present = found(externalId="u-1", email=other, name=name, custom={"address_city": city})
    story.present_company = Present(Look.FOUND, {"externalId": "acme", "phone": phone})
    return story


def _printed(story: Story, capsys: Capture, *, shows_values: bool) -> str:
    print_story(story, shows_values=shows_values)
    return capsys.readouterr().out


@pytest.mark.parametrize("wanted", [Wanted(Kind.USER, "u-1"), Wanted(Kind.COMPANY, "acme")])
def test_people_are_shown_nobody(wanted: Wanted, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen: which fields differ, and not from what; --show-values shows them."""
    monkeypatch.setenv("COLUMNS", "300")
    text = _printed(_story(wanted), capsys, shows_values=False)

    assert [each for each in PERSONAL if each in text] == []
    assert wanted.name in text
    assert "differs: " in text
    assert "Ada Lovelace" in _printed(_story(wanted), capsys, shows_values=True)


@pytest.mark.parametrize("wanted", [Wanted(Kind.USER, "u-1"), Wanted(Kind.COMPANY, "acme")])
def test_programs_are_shown_nobody(wanted: Wanted) -> None:
    """--json: the same; ids stay, since they are what is looked up."""
    story = _story(wanted)
    told = json.dumps(story_json(story, shows_values=False))

    assert [each for each in PERSONAL if each in told] == []
    assert json.dumps({"externalId": wanted.name})[1:-1] in told
    assert "Ada Lovelace" in json.dumps(story_json(story, shows_values=True))


def test_an_address_that_was_given_is_no_secret() -> None:
    """Who asks by an address knows it, in whatever case a call has it; others stay masked."""
    told = json.dumps(story_json(_story(Wanted(Kind.EMAIL, "ADA@acme.example")), shows_values=False))

    assert '"email": "ada@acme.example"' in told
    assert "ada.l@home.example" not in told


@pytest.mark.parametrize(
    ("present", "code"),
    [
        (ABSENT, 0),
        (Present(Look.UNKNOWN, detail="no answer"), 0),
        (Present(Look.UNKNOWN, detail="status 401", is_refused=True), 4),
    ],
)
@pytest.mark.usefixtures("logging_restored")
def test_the_exit_status_is_that_of_the_credentials(
    present: Present, code: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 where Planhat refuses them, after the story; 0 whatever the verdict is."""
    story = _story(Wanted(Kind.USER, "u-1"))
    story.present = present
    monkeypatch.setattr(explaining, "explain", lambda *_, **__: story)
    monkeypatch.setenv("STREAMER_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("STREAMER_PLANHAT_API_TOKEN", "token")

    assert main(["explain", "--user", "u-1", "--ask-planhat"]) == code
    assert "verdict: " in capsys.readouterr().out
