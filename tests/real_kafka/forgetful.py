"""A wire to a broker that, while it is told to, names no brokers: as one does that is about to stop.

A broker in the middle of stopping or starting may answer a question for metadata with topics and without
brokers, itself left out. librdkafka then drops all it knew, those it was configured with too, and never
connects again (2.12 to 2.16 at least; confluentinc/librdkafka#5301).
"""

import socket
import struct
import threading
from contextlib import suppress

from tests.real_kafka.relay import Relay

_METADATA = 3
_FLEXIBLE = 9
"""The first version of a Metadata request with compact arrays and tagged fields."""


class ForgetfulWire(Relay):
    """Passes on what is asked and answered, but for the brokers in answers about metadata."""

    def __init__(self, target: str, port: int = 0) -> None:
        self.forgets = False
        """Whether brokers are left out of the answers now."""
        self.forgotten = 0
        """How many answers went without brokers."""
        super().__init__(target, port)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        asked: dict[int, int] = {}
        back = threading.Thread(target=self._answers, args=(far, near, asked), daemon=True)
        back.start()
        self._questions(near, far, asked)
        back.join()

    def _questions(self, near: socket.socket, far: socket.socket, asked: dict[int, int]) -> None:
        with suppress(OSError):
            while message := _message(near):
                key, version, number = struct.unpack_from(">hhi", message)
                if key == _METADATA:
                    asked[number] = version
                far.sendall(_framed(message))
        _end(near, far)

    def _answers(self, far: socket.socket, near: socket.socket, asked: dict[int, int]) -> None:
        with suppress(OSError):
            while message := _message(far):
                (number,) = struct.unpack_from(">i", message)
                version = asked.pop(number, None)
                if version is not None and self.forgets:
                    assert version >= _FLEXIBLE, version
                    message = without_brokers(message)
                    self.forgotten += 1
                near.sendall(_framed(message))
        _end(far, near)


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
