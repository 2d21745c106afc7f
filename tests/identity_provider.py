"""An identity provider of the test's own: gives tokens to clients that know their secret, and its public key.

    with IdentityProvider({"streamer": "secret"}) as provider:
        ... provider.token_url, provider.keys_url ...

It knows one grant, that of OAuth's client credentials. Tokens are signed by a key of this run; their subject
is the client's id.
"""

import json
import ssl
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

AUDIENCE: Final = "kafka"
"""For whom its tokens are."""

_KEY_ID: Final = "of-this-run"


class IdentityProvider:
    """Answers on loopback; a context manager."""

    def __init__(
        self, secrets: Mapping[str, str], life_seconds: int = 300, certificate: Path | None = None
    ) -> None:
        """Prepare to give tokens of that life to the clients of `secrets`, by their ids.

        With a `certificate` (a PEM file with its key) they are given as `localhost` by TLS; the public key
        is told without.
        """
        self.life_seconds = life_seconds
        self._secrets = dict(secrets)
        self._is_by_tls = certificate is not None
        self.audience = AUDIENCE
        """For whom the next tokens are."""
        self.given: Counter[str] = Counter()
        """How many tokens each client was given."""
        self._key = generate_private_key(65537, 2048)
        self.status = 0
        """What every client is answered, where it is not 0."""
        self.remark = "client or secret is wrong"
        """What it says to whoever it does not know."""
        handler = type("Handler", (_Handler,), {"provider": self})
        self._tokens, self._keys = (ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2))
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._tokens.socket = context.wrap_socket(self._tokens.socket, server_side=True)
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True) for each in self._servers
        ]

    @property
    def token_url(self) -> str:
        """Where clients ask for tokens."""
        place = "https://localhost" if self._is_by_tls else "http://127.0.0.1"
        return f"{place}:{self._tokens.server_port}/token"

    @property
    def keys_url(self) -> str:
        """Where whoever checks a token finds the public key."""
        return f"http://127.0.0.1:{self._keys.server_port}/keys"

    @property
    def _servers(self) -> tuple[ThreadingHTTPServer, ThreadingHTTPServer]:
        return self._tokens, self._keys

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    # --- what is answered --------------------------------------------------------------------------

    def answer(self, authorization: str, form: Mapping[str, list[str]]) -> tuple[int, Mapping[str, object]]:
        """Status and content of the answer to a client that asks for a token."""
        if self.status:
            return self.status, {"error": "temporarily_unavailable"}
        if form.get("grant_type") != ["client_credentials"]:
            return 400, {"error": "unsupported_grant_type"}
        client, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if not secret or self._secrets.get(client) != secret:
            return 401, {"error": "invalid_client", "error_description": self.remark}
        self.given[client] += 1
        token = self._token(client)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.life_seconds}

    def public_keys(self) -> Mapping[str, object]:
        """The public key, as a set of JSON web keys."""
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": _KEY_ID}
        return {"keys": [{**key, "n": _number(numbers.n), "e": _number(numbers.e)}]}

    def _token(self, client: str) -> str:
        now = int(time.time())
        head = {"alg": "RS256", "typ": "JWT", "kid": _KEY_ID}
        told = {
            "iss": "tests", "sub": client, "aud": self.audience, "scope": "events",
            "iat": now, "exp": now + self.life_seconds,
        }  # fmt: skip
        signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(told).encode())}"
        return f"{signed}.{_encoded(self._key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


class _Handler(BaseHTTPRequestHandler):
    provider: IdentityProvider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        self._send(*self.provider.answer(self.headers["Authorization"] or "", parse_qs(body)))

    def do_GET(self) -> None:
        self._send(200, self.provider.public_keys())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its parent's names
        """Say nothing."""

    def _send(self, status: int, content: Mapping[str, object]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _number(value: int) -> str:
    return _encoded(value.to_bytes((value.bit_length() + 7) // 8))


def _encoded(what: bytes) -> str:
    return urlsafe_b64encode(what).rstrip(b"=").decode()
