"""Wires to a broker that alter what it answers, to provoke what seldom happens by itself.

A broker in the middle of stopping or starting may answer a question for metadata with topics and without
brokers, itself left out. librdkafka then drops all it knew, those it was configured with too, and never
connects again (2.12 to 2.16 at least; confluentinc/librdkafka#5301). Other answers never reach who waits
for them, because the connection's broker was dropped meanwhile.
"""

import socket
import struct
import threading
from contextlib import suppress
from typing import Final

from tests.real_kafka.relay import Relay

_METADATA: Final = 3
_FIND_COORDINATOR: Final = 10
_FLEXIBLE: Final = 9
"""The first version of a Metadata request with compact arrays and tagged fields."""


class AlteringWire(Relay):
    """Passes on what is asked, and what is answered as far as it is let."""

    def answer(self, kind: int, version: int, message: bytes) -> bytes | None:
        """What to pass on of an answer to a request of this kind and version; None for nothing."""
        return message

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        asked: dict[int, tuple[int, int]] = {}
        back = threading.Thread(target=self._answers, args=(far, near, asked), daemon=True)
        back.start()
        self._questions(near, far, asked)
        back.join()

    def _questions(self, near: socket.socket, far: socket.socket, asked: dict[int, tuple[int, int]]) -> None:
        with suppress(OSError):
            while message := _message(near):
                kind, version, number = struct.unpack_from(">hhi", message)
                asked[number] = (kind, version)
                far.sendall(_framed(message))
        _end(near, far)

    def _answers(self, far: socket.socket, near: socket.socket, asked: dict[int, tuple[int, int]]) -> None:
        with suppress(OSError):
            while message := _message(far):
                (number,) = struct.unpack_from(">i", message)
                told = self.answer(*asked.pop(number), message)
                if told is not None:
                    near.sendall(_framed(told))
        _end(far, near)


class ForgetfulWire(AlteringWire):
    """Leaves out the brokers in answers about metadata."""

    def __init__(self, target: str, port: int = 0) -> None:
        self.forgets = False
        """Whether brokers are left out of the answers now."""
        self.forgotten = 0
        """How many answers went without brokers."""
        super().__init__(target, port)

    def answer(self, kind: int, version: int, message: bytes) -> bytes | None:
        """Without brokers, of metadata and while it forgets."""
        if kind != _METADATA or not self.forgets:
            return message
        assert version >= _FLEXIBLE, version
        self.forgotten += 1
        return without_brokers(message)


class CoordinatorlessWire(AlteringWire):
    """Swallows what a broker answers to who looks for the coordinator of a group."""

    def __init__(self, target: str, port: int = 0) -> None:
        self.swallows = False
        """Whether such answers are swallowed now. The asker is never told."""
        self.swallowed = 0
        """How many were."""
        super().__init__(target, port)

    def answer(self, kind: int, version: int, message: bytes) -> bytes | None:
        """Nothing, of coordinators and while it swallows."""
        if kind != _FIND_COORDINATOR or not self.swallows:
            return message
        self.swallowed += 1
        return None


def without_brokers(message: bytes) -> bytes:
    """An answer about metadata (version 9 or later) with an empty list of brokers; the rest is as it was."""
    start = 4 + 1 + 4  # correlation id, no tagged fields of the header, throttle time
    count, place = _unsigned(message, start)
    for _ in range(count - 1):
        place += 4  # node id
        length, place = _unsigned(message, place)  # host
        place += length - 1 + 4  # and port
        length, place = _unsigned(message, place)  # rack, 0 for none
        place += max(0, length - 1)
        fields, place = _unsigned(message, place)
        assert not fields, "a broker with tagged fields"
    return message[:start] + b"\x01" + message[place:]


def _unsigned(message: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place


def _message(source: socket.socket) -> bytes:
    """The next whole message, without its length; empty at the end."""
    head = _exactly(source, 4)
    return _exactly(source, int.from_bytes(head)) if head else b""


def _exactly(source: socket.socket, length: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < length:
        piece = source.recv(length - len(pieces))
        if not piece:
            return b""
        pieces += piece
    return bytes(pieces)


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4) + message


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
