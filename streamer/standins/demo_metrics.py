"""What the pipeline says of itself: its /metrics page, read as any Prometheus would."""

import re
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Final, NamedTuple

_SAMPLE: Final = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Sample(NamedTuple):
    """One line of the page."""

    name: str
    labels: Mapping[str, str]
    value: float


class Scrape:
    """One reading of the page."""

    def __init__(self, page: str) -> None:
        self._samples: dict[str, list[Sample]] = {}
        for sample in _samples(page):
            self._samples.setdefault(sample.name, []).append(sample)

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples with these labels; 0 where there are none."""
        wanted = labels.items()
        return sum(one.value for one in self._samples.get(name, ()) if wanted <= one.labels.items())

    def by(self, name: str, label: str) -> dict[str, float]:
        """Sums by the values of one label; values that come to 0 are left out."""
        sums: dict[str, float] = {}
        for one in self._samples.get(name, ()):
            value = one.labels.get(label, "")
            sums[value] = sums.get(value, 0) + one.value
        return {value: total for value, total in sums.items() if total}

    def quantile(self, name: str, share: float) -> float | None:
        """The value that this share of a histogram's observations does not exceed.

        Interpolated within its bucket, as Prometheus does; the last finite bound for what is beyond.
        None without observations.
        """
        buckets: dict[float, float] = {}
        for one in self._samples.get(f"{name}_bucket", ()):
            bound = float(one.labels["le"])
            buckets[bound] = buckets.get(bound, 0) + one.value
        bounds = sorted(buckets)
        if not bounds or not buckets[bounds[-1]]:
            return None
        rank = share * buckets[bounds[-1]]
        below, low = 0.0, 0.0
        for bound in bounds[:-1]:
            if buckets[bound] >= rank:
                within = buckets[bound] - below
                return low + (bound - low) * ((rank - below) / within if within else 0)
            below, low = buckets[bound], bound
        return low


def _samples(page: str) -> Iterator[Sample]:
    for line in page.splitlines():
        match = _SAMPLE.match(line)
        if match is not None:
            name, labels, value = match.groups()
            yield Sample(name, dict(_LABEL.findall(labels or "")), float(value))


class Probe:
    """Asks one address of the pipeline; on loopback, so without any proxy."""

    def __init__(self, port: int) -> None:
        self._port = port

    def is_ready(self) -> bool:
        """Whether /readyz says yes."""
        return self._get("/readyz")[0] == 200

    def scrape(self) -> Scrape | None:
        """/metrics; None while nothing answers there."""
        status, body = self._get("/metrics")
        return Scrape(body.decode()) if status == 200 else None

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()
