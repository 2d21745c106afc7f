"""How each kind of strike is struck, and when its traces are due."""

import signal
from collections.abc import Callable, Mapping, Sequence
from time import sleep, time
from typing import Final, Literal, NamedTuple

import msgspec

from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN
from tests.faults.plant import HTTP_SECONDS, SESSION_SECONDS, STEADY, Plant
from tests.faults.schedule import Kind, Strike

ARRIVES_SECONDS: Final = 1.0
"""How long after its sender's death a request may be seen by a busy sandbox."""
_PAGE: Final = "<html><body>Please come back later</body></html>"


class Cut(NamedTuple):
    """From `at` on this member could not know what the group does: killed, stopped, cut off."""

    member: str
    at: float
    sends_until: float
    """What Planhat sees of it from then on was sent when it had no right to."""


class Struck(NamedTuple):
    """A strike and its time: from just before it to when the group was whole again."""

    strike: Strike
    at: float
    until: float
    cuts: tuple[Cut, ...]
    events: int = 0
    """Produced from one strike to the next."""


class Striker:
    """Strikes a plant. Of members alone: only those in some slots; what all share hits all."""

    def __init__(self, plant: Plant, slots: Sequence[int] = range(STEADY)) -> None:
        self._plant = plant
        self._slots = slots
        self._cuts: list[Cut] = []
        self._by_kind: dict[Kind, Callable[[Strike], None]] = {
            Kind.SIGKILL: self._sigkill,
            Kind.SIGTERM: self._sigterm,
            Kind.SIGSTOP: self._sigstop,
            Kind.REBALANCE: self._rebalance,
            Kind.BROKER_RESTART: lambda _: self._plant.kafka.restart(),
            Kind.BROKER_KILL: self._broker_kill,
            Kind.WIRE_CUT: lambda strike: self._cut(range(len(plant.wires)), strike.between(1.0, 3.0)),
            Kind.WIRE_LONG_CUT: self._long_cut,
            Kind.WIRE_CUT_ONE: self._cut_one,
            Kind.WIRE_SLOW: self._slow_wire,
            Kind.TOKEN: self._token,
        }

    def strike(self, strike: Strike) -> Struck:
        """Strike, repair, and wait until the group is whole. Raises Broken where it never is."""
        self._cuts = []
        sleep(strike.wait)
        at = time()
        self._by_kind.get(strike.kind, self._planhat)(strike)
        self._plant.wait_until_whole()
        return Struck(strike, at, time(), tuple(self._cuts))

    # --- members -----------------------------------------------------------------------------------

    def _sigkill(self, strike: Strike) -> None:
        slot = self._slot(strike)
        name = self._plant.now[slot].name
        at = self._plant.kill(slot)
        self._cuts.append(Cut(name, at, at + ARRIVES_SECONDS))
        sleep(strike.between(0.0, SESSION_SECONDS))
        self._plant.start(slot)

    def _sigterm(self, strike: Strike) -> None:
        slot = self._slot(strike)
        self._plant.end(slot)
        sleep(strike.between(0.0, 2.0))
        self._plant.start(slot)

    def _sigstop(self, strike: Strike) -> None:
        life = self._plant.now[self._slot(strike)]
        at = time()
        life.member.send_signal(signal.SIGSTOP)
        try:
            sleep(SESSION_SECONDS + strike.between(1.0, 5.0))
        finally:
            # Nothing leaves it in between, however late Planhat sees what had left before.
            self._cuts.append(Cut(life.name, at, time()))
            life.member.send_signal(signal.SIGCONT)
        sleep(1.0)

    def _rebalance(self, strike: Strike) -> None:
        self._plant.start(STEADY)
        self._plant.wait_until_whole()
        sleep(strike.between(0.5, 2.0))
        self._plant.end(STEADY)

    def _slot(self, strike: Strike) -> int:
        return self._slots[int(strike.whom * len(self._slots))]

    # --- the broker and the wires --------------------------------------------------------------------

    def _broker_kill(self, strike: Strike) -> None:
        self._plant.kafka.kill()
        sleep(strike.between(0.0, SESSION_SECONDS))
        self._plant.kafka.start()

    def _long_cut(self, strike: Strike) -> None:
        self._cut(range(len(self._plant.wires)), SESSION_SECONDS + strike.between(1.0, 4.0))

    def _cut_one(self, strike: Strike) -> None:
        slot = self._slot(strike)
        at = time()
        self._cut([slot], SESSION_SECONDS + strike.between(2.0, 5.0))
        # It reaches Planhat, and may send until its last proof of membership is too old.
        self._cuts.append(Cut(self._plant.now[slot].name, at, at + SESSION_SECONDS))

    def _cut(self, slots: "range | list[int]", seconds: float) -> None:
        for slot in slots:
            self._plant.wires[slot].cut()
        try:
            sleep(seconds)
        finally:
            for slot in slots:
                self._plant.wires[slot].mend()

    def _slow_wire(self, strike: Strike) -> None:
        for wire in self._plant.wires:
            wire.delay_seconds = strike.between(0.1, 0.4)
        try:
            sleep(6.0)
        finally:
            for wire in self._plant.wires:
                wire.delay_seconds = 0.0

    # --- Planhat -------------------------------------------------------------------------------------

    def _planhat(self, strike: Strike) -> None:
        sandbox, seconds = self._plant.sandbox, strike.between(2.0, 5.0)
        sandbox.add_faults(*_faults(strike.kind, seconds))
        sleep(seconds + (HTTP_SECONDS if strike.kind is Kind.TIMED_OUT else 0.5))

    def _token(self, strike: Strike) -> None:
        sandbox = self._plant.sandbox
        sandbox.change_api_token("another-token")
        try:
            sleep(strike.between(1.0, 4.0))
        finally:
            sandbox.change_api_token(DEFAULT_API_TOKEN)
        sleep(2.0)


def _faults(kind: Kind, seconds: float) -> list[Fault]:
    """Faults that end by themselves: those that refuse by item must stay, so nothing is ever cleared."""
    fault, endpoints = _FAULTS[kind], _ENDPOINTS.get(kind, ("any",))
    return [msgspec.structs.replace(fault, for_seconds=seconds, endpoint=each) for each in endpoints]


_ENDPOINTS: Final[Mapping[Kind, tuple[Literal["any", "companies", "endusers"], ...]]] = {
    # The analytics host's replies are not looked into, and it tells of no entry that it ignores.
    Kind.PAGE: ("companies", "endusers"),
    Kind.OVERLAP: ("companies", "endusers"),
}

_FAULTS: Final = {
    Kind.UNAVAILABLE: Fault(kind=FaultKind.STATUS, status=503, times=None),
    Kind.THROTTLED: Fault(
        kind=FaultKind.STATUS, status=429, times=None, headers={"Retry-After": "1"}, every=2
    ),
    Kind.TIMED_OUT: Fault(kind=FaultKind.SLOW, seconds=HTTP_SECONDS + 1.0, times=None, every=3),
    Kind.LOST_REPLY: Fault(kind=FaultKind.LOST_REPLY, times=None, every=3),
    Kind.RESET: Fault(kind=FaultKind.RESET, times=None, every=2),
    Kind.SLOW: Fault(kind=FaultKind.SLOW, seconds=1.5, times=None),
    Kind.PAGE: Fault(kind=FaultKind.STATUS, status=200, body=_PAGE, times=None, every=2),
    Kind.OVERLAP: Fault(kind=FaultKind.OVERLAP, times=40, every=5),
}
