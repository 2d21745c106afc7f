"""The audit of what is pinned: pip-audit itself beside a stand-in for the service, and what is accepted."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.cached import not_to_be_had
from tools import audit
from tools.audit import ACCEPTED, AUDITED, Accepted, Finding, NotAudited, audited, problems, read_accepted
from tools.requirements import FILES, pins

KNOWN = {"id": "GHSA-0000-0000-0001", "aliases": ["CVE-2026-1"], "affected": [{
    "package": {"name": "idna", "ecosystem": "PyPI"},
    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
}]}  # fmt: skip
FOUND = Finding("r.txt", "idna", "3.10", ("GHSA-0000-0000-0001", "CVE-2026-1"), ("99.1",))
TODAY = date(2026, 11, 27)


class _Service(BaseHTTPRequestHandler):
    """Answers as OSV does: one package a question."""

    def do_POST(self) -> None:
        """What is known of one package."""
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = asked.get("package", {}).get("name") == "idna"
        body = json.dumps({"vulns": [KNOWN]} if is_known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def service() -> Iterator[str]:
    """Where it is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()


def test_what_is_known_of_a_pin_is_found(tmp_path: Path) -> None:
    """Of two hashed pins the one with a vulnerability is named, with its ids and where it is mended."""
    file = tmp_path / "r.txt"
    digest = "0" * 64
    file.write_text(f"idna==3.10 --hash=sha256:{digest}\nh11==0.16.0 --hash=sha256:{digest}\n")
    with service() as url:
        try:
            found = audited([file], url)
        except NotAudited as why:
            not_to_be_had(str(why))

    assert [(each.package, each.mended_in) for each in found] == [("idna", ("99.1",))]
    assert set(found[0].ids) == {"GHSA-0000-0000-0001", "CVE-2026-1"}


def test_where_nobody_answers_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No network fails no check, and no address is named; with CI=true neither."""
    monkeypatch.setenv("CI", "true")

    assert audit.main(["--osv-url", "http://127.0.0.1:1/v1/query"]) == 0
    assert capsys.readouterr().out.startswith("not audited: no vulnerability service answers from here.")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ([], ["r.txt: idna 3.10: GHSA-0000-0000-0001, CVE-2026-1 (mended in 99.1)"]),
        ([Accepted("idna", "CVE-2026-1", date(2027, 1, 1), "why")], []),
        ([Accepted("idna", "CVE-2026-1", TODAY, "why")], [str(FOUND)]),
        (
            [Accepted("h11", "CVE-2026-1", date(2027, 1, 1), "why")],
            [str(FOUND), "h11: CVE-2026-1 is accepted and not found any more: take it out"],
        ),
    ],
)
def test_what_is_accepted_does_not_count_for_a_while(accepted: list[Accepted], expected: list[str]) -> None:
    """By package and id, until its day; and not longer than it is found."""
    assert problems([FOUND], accepted, TODAY) == expected


def test_every_acceptance_has_its_reason() -> None:
    """The file reads, and each entry says why."""
    assert all(each.reason.strip() for each in read_accepted())
    assert "reason" in ACCEPTED.read_text(encoding="utf-8")


def test_every_pin_is_audited() -> None:
    """No file holds a pin that none of the audited ones has."""
    asked = {(name, version) for path in AUDITED for name, version in pins(path.read_text("utf-8")).items()}
    all_of_them = {pin for file in FILES for pin in pins(file.path.read_text("utf-8")).items()}
    assert all_of_them == asked
