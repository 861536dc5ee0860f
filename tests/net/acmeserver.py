# -*- test-case-name: tests.net.test_acmeclient -*-
"""
An ACME server in memory, which is reached through C{requests} without a network.
"""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from requests.adapters import HTTPAdapter

from .certifying import authority, signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.trial.unittest import SynchronousTestCase

BASE = "https://acme.example"
DIRECTORY = f"{BASE}/directory"
TOKEN = "DGyRejmCefe7v4NfDGDKfA-012345678"


class Problem(Exception):
    """What the server refuses, with its type and the status."""

    def __init__(self, kind: str, status: int = 400, detail: str = "", **fields: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.fields = fields


class Server:
    """
    Does what RFC 8555 says, for one order at a time.

    @ivar requests: the path and the payload of each POST that it took.
    @ivar problems: what it refuses next, by path: once each.
    @ivar looked: is called when it looks whether a name leads somewhere; what it gives is
        the problem with that, None for none.
    @ivar polls: how often an authorization is pending, and an order processing.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        self.requests: list[tuple[str, Any]] = []
        self.problems: dict[str, list[Exception]] = {}
        self.looked: Callable[[str], dict[str, str] | None] = lambda kind: None
        self.accounts: dict[str, str] = {}
        self.meta: dict[str, Any] = {"termsOfService": "https://acme.example/terms"}
        self.polls = 0
        self.offered: tuple[str, ...] = ("http-01", "tls-alpn-01", "dns-01")
        self.authorized = False
        self.token = TOKEN
        self.fields: dict[str, str] = {}
        #: What it answers instead, by path; by C{"*"} to all.
        self.answers: dict[str, tuple[int, bytes]] = {}
        self._nonces = 0
        self._left = 0
        self._status = "pending"
        self._error: dict[str, str] | None = None
        self._made = b""
        self.verify: Any = None
        self.timeout: Any = None
        #: What its directory has besides.
        self.more: dict[str, Any] = {}
        case.patch(HTTPAdapter, "send", self._send)

    def _send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Stand in for the network."""
        assert request.url is not None
        self.verify, self.timeout = options["verify"], options["timeout"]
        response = requests.Response()
        response.url = request.url
        response.request = request
        path = request.url.removeprefix(BASE)
        fields = {"Replay-Nonce": base64.urlsafe_b64encode(b"%d" % self._nonces).decode()}
        self._nonces += 1
        answer = self.answers.get(path, self.answers.get("*"))
        try:
            waiting = self.problems.get(path)
            if waiting:
                raise waiting.pop(0)
            if answer is not None:
                status, octets = answer
            elif request.method == "POST":
                status, content, more = self._post(path, request)
                fields |= more
                octets = content if isinstance(content, bytes) else json.dumps(content).encode()
            else:
                status, octets = 200, json.dumps(self._directory()).encode()
        except Problem as problem:
            status, fields = problem.status, {**fields, **problem.fields}
            kind = f"urn:ietf:params:acme:error:{problem.kind}"
            octets = json.dumps({"type": kind, "detail": problem.detail}).encode()
        response.status_code = status
        response.headers.update({**fields, **self.fields})
        response.raw = Raw(octets)
        return response

    def _directory(self) -> dict[str, Any]:
        names = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
        return {**{name: f"{BASE}/{name}" for name in names}, "meta": self.meta, **self.more}

    def _post(self, path: str, request: requests.PreparedRequest) -> tuple[int, Any, Any]:
        assert isinstance(request.body, str)
        body = json.loads(request.body)
        payload = _decoded(body["payload"])
        protected = _decoded(body["protected"])
        self.requests.append((path, payload))
        account = json.dumps(protected.get("jwk"), sort_keys=True)
        if path == "/newAccount":
            known = self.accounts.get(account)
            if known is not None:
                return 200, {"status": "valid"}, {"Location": known}
            url = self.accounts[account] = f"{BASE}/account/{len(self.accounts)}"
            return 201, {"status": "valid"}, {"Location": url}
        if protected["kid"] not in self.accounts.values():
            raise Problem("accountDoesNotExist")
        if path == "/newOrder":
            self._status = "ready" if self.authorized else "pending"
            self._left = self.polls
            return 201, self._order(), {"Location": f"{BASE}/order"}
        if path == "/authorization":
            if self._status == "looking":
                self._look()
            return 200, self._authorization(), {}
        if path.startswith("/challenge/"):
            self._status = "looking"
            self._kind = path.rpartition("/")[2]
            return 200, self._challenge(self._kind), {"Link": f'<{BASE}/authorization>;rel="up"'}
        if path == "/finalize":
            self._left = self.polls
            self._sign(payload["csr"])
            self._status = "processing"
            return 200, self._order(), {}
        if path == "/order":
            if self._left:
                self._left -= 1
            elif self._status == "processing":
                self._status = "valid"
            return 200, self._order(), {}
        if path == "/certificate":
            return 200, self._made, {"Content-Type": "application/pem-certificate-chain"}
        return 200, {}, {}

    def _look(self) -> None:
        if self._left:
            self._left -= 1
            return
        self._error = self.looked(self._kind)
        self._status = "ready" if self._error is None else "invalid"

    def _order(self) -> dict[str, Any]:
        return {
            "status": self._status if self._status != "looking" else "pending",
            "identifiers": [{"type": "dns", "value": "a.example"}],
            "authorizations": [f"{BASE}/authorization"],
            "finalize": f"{BASE}/finalize",
            "certificate": f"{BASE}/certificate",
        }

    def _authorization(self) -> dict[str, Any]:
        valid = self._status in ("ready", "processing", "valid")
        waiting = "invalid" if self._status == "invalid" else "pending"
        return {
            "status": "valid" if valid else waiting,
            "identifier": {"type": "dns", "value": "a.example"},
            "challenges": [self._challenge(kind) for kind in self.offered],
        }

    def _challenge(self, kind: str) -> dict[str, Any]:
        found = {"type": kind, "url": f"{BASE}/challenge/{kind}", "token": self.token}
        if self._status == "invalid" and kind == self._kind and self._error:
            found |= {"status": "invalid", "error": self._error}  # type: ignore[dict-item]
        return found

    def _sign(self, request: str) -> None:
        csr = x509.load_der_x509_csr(base64.urlsafe_b64decode(request + "==="))
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        root = authority()
        made = signed(
            csr.subject,
            root.certificate.subject,
            csr,
            root.privateKey,
            (-1, 89),
            names.get_values_for_type(x509.DNSName),
        )
        self._made = made.public_bytes(Encoding.PEM) + root.pem

    def asked(self) -> list[str]:
        """The paths of what was sent since the last time."""
        asked, self.requests[:] = [path for path, _ in self.requests], []
        return asked


class Raw(io.BytesIO):
    """The octets of an answer, as C{urllib3} hands them out."""

    def read(self, size: int | None = -1, decode_content: bool = False) -> bytes:
        return super().read(size)


def _decoded(text: str) -> Any:
    octets = base64.urlsafe_b64decode(text + "===")
    return json.loads(octets) if octets else None
