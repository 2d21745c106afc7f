"""The page in a real Chromium: without a complaint, without a script, on a phone, in the dark, and aloud."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from streamer.metrics import registry_of
from streamer.server import Health, Server
from streamer.status import page
from streamer.status.serving import Reply
from tests.status.states import STATES, Scene, healthy, on_hold
from tools.chromium import Chromium, Tab, chromium_program

CONTRAST = """
(() => {
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  };
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!colour.endsWith(", 0)")) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 99, texts = 0;
  while (walk.nextNode()) {
    if (!walk.currentNode.data.trim()) continue;
    const node = walk.currentNode.parentElement;
    const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => a - b);
    least = Math.min(least, (pair[1] + 0.05) / (pair[0] + 0.05));
    texts += 1;
  }
  return [least, texts];
})()
"""
"""The least contrast of any text to its ground, as WCAG reckons it, and how many texts there are."""

SHAPE = """
({
  headings: [...document.querySelectorAll("h1, h2, h3")].map((each) => each.tagName),
  unheaded: [...document.querySelectorAll("table")].filter((each) => !each.caption
    || [...each.querySelectorAll("th")].some((head) => !["col", "row"].includes(head.scope))
    || [...each.tBodies[0].rows].some((row) => row.cells[0].tagName !== "TH")).length,
  tables: document.querySelectorAll("table").length,
  language: document.documentElement.lang,
  first: document.body.innerText.split("\\n")[0],
})
"""


class Site:
    """A server whose page tells of whatever scene is set."""

    def __init__(self) -> None:
        self.scene = healthy()

        def well() -> Health:
            return Health(is_well=True, reason="fine")

        pages = {"/": self.html, "/status.json": self.json}
        self.server = Server("127.0.0.1", 0, registry_of(self.scene.metrics), well, well, pages)
        self.url = f"http://127.0.0.1:{self.server.start()}/"

    def html(self, query: str) -> Reply:
        """The page of the scene that is set."""
        return self.scene.page.html(query)

    def json(self, query: str) -> Reply:
        """The same for programs."""
        return self.scene.page.json(query)

    def show(self, scene: Scene) -> str:
        """Its address, from now on of this scene."""
        self.scene = scene
        return self.url


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Site]:
    """A server on a free port."""
    site = Site()
    yield site
    site.server.stop()


@pytest.fixture(name="chromium", scope="module")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all; skips without a Chromium (fails with CI=true)."""
    if chromium_program() is None:
        why = "chromium: NOT RUN (none on the PATH): see CONTRIBUTING"
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(why)
    with Chromium(tmp_path_factory.mktemp("chromium")) as chromium:
        yield chromium


def is_scrolled_sideways(tab: Tab, width: int) -> bool:
    """Whether the page is wider than the window it is in."""
    found: list[int] = tab.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return max(found) > width


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_shown_without_a_complaint(chromium: Chromium, site: Site, state: str) -> None:
    """By day and wide, by night and narrow: nothing in the console, nothing fetched, no sideways scroll."""
    url = site.show(STATES[state]())
    for width, is_dark in ((1000, False), (360, True)):
        tab = chromium.open(url, width=width, is_dark=is_dark)
        assert tab.complaints() == []
        assert {each for each in tab.requested() if not each.startswith("data:")} == {url}
        assert not is_scrolled_sideways(tab, width)
        least, texts = tab.evaluate(CONTRAST)
        assert texts > 50
        assert least >= 4.5, "WCAG AA"
        shape: dict[str, Any] = tab.evaluate(SHAPE)
        assert shape["headings"] == ["H1", *["H2"] * 7]
        assert (shape["unheaded"], shape["language"]) == (0, "en")
        assert shape["tables"] >= 4
        assert shape["first"].startswith(
            {
                "healthy": "All is well: 10 events a second",
                "on_hold": "Act now: it is on hold (credentials) since",
                "gate_closed": "Nothing to do for now: Planhat accepts no companies",
                "no_assignment": "All is well: it stands by",
                "letters": "Look into it by day: 7% of the events",
            }[state]
        )
        tab.close()


def test_the_smallest_phone_needs_no_sideways_scroll(chromium: Chromium, site: Site) -> None:
    """At 320 pixels, with large numbers and long names."""
    scene = on_hold()
    scene.kafka = scene.kafka._replace(
        committed=dict.fromkeys(scene.kafka.committed, 9_876_543_210_987),
        unread=dict.fromkeys(scene.kafka.unread, 1_234_567_890),
    )
    tab = chromium.open(site.show(scene), width=320)
    assert not is_scrolled_sideways(tab, 320)
    assert "9,876,543,210,987" in tab.evaluate("document.body.innerText")
    tab.close()


def test_no_script_is_needed_and_none_would_run(chromium: Chromium, site: Site) -> None:
    """What is read is the same with scripts switched off; one that got into the page would be refused."""
    url = site.show(healthy())
    tab = chromium.open(url)
    with_scripts = tab.evaluate("document.body.innerText")
    refused = """
    document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = true"}));
    document.body.insertAdjacentHTML("beforeend", "<b style='color: red' onclick='window.ran = true'>b</b>");
    document.body.lastChild.click();
    [window.ran === undefined, getComputedStyle(document.body.lastChild).color !== "rgb(255, 0, 0)"]
    """
    assert tab.evaluate(refused) == [True, True]
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    tab.load(url)
    root = tab.ask("DOM.getDocument")["root"]["nodeId"]
    markup = tab.ask("DOM.getOuterHTML", nodeId=root)["outerHTML"]
    assert "All is well" in markup
    assert with_scripts.startswith("All is well")
    tab.close()


def test_it_loads_itself_anew(chromium: Chromium, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes is seen without a hand, and scripts are not what does it; a reader may stop it."""
    monkeypatch.setattr(page, "REFRESH_SECONDS", 1)
    tab = chromium.open(site.show(healthy()))
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    site.show(on_hold())
    tab.wait_for("Page.loadEventFired")
    assert tab.evaluate("document.title") == "Act now - streamer"
    tab.load(f"{site.url}?refresh=off")
    assert tab.evaluate("document.querySelector('meta[http-equiv]') === null")
    tab.close()


def test_links_lead_to_what_programs_read(chromium: Chromium, site: Site) -> None:
    """status.json and metrics are what the page links to, and the switch comes back to it."""
    tab = chromium.open(site.show(healthy()))
    links = tab.evaluate("[...document.links].map((each) => each.href)")
    assert links == [f"{site.url}?refresh=off", f"{site.url}status.json", f"{site.url}metrics"]
    tab.load(links[1])
    assert tab.evaluate("JSON.parse(document.body.innerText).verdicts[0].level") == "well"
    assert tab.complaints() == []
    tab.close()
