# -*- test-case-name: tests.smoke.test_origintls -*-
"""
A real process and servers that speak TLS, well, badly and not at all.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ..net.authority import authority, credentials
from .peers import Origin, Stream, dial
from .running import RunningProxy, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..net.authority import Credentials

#: How long a connection may take, with its handshake.
CONNECT_SECONDS = 2

CONFIGURATION = """
[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
via = "site"
timeouts = { connect = %d }
%s

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]
via = "egress"

[log]
access = "access.log"
format = "json"
"""

ROUTE = """
[[reverse.site.route]]
path = "/{name}/"
upstream = "{name}"
[upstream.{name}]
servers = ["https://{host}:{port}"]
tls = {{ {tls} }}
"""


def served(stream: Stream) -> None:
    """Answer every request of a connection with what it asked for."""
    while True:
        target = stream.head().split()[1]
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))


class SecureOrigin:
    """
    A server that speaks TLS.

    @ivar names: what clients sent as SNI, of each handshake.
    @ivar resumed: of each that was completed, whether it resumed a session.
    @ivar agreed: what protocol was agreed on.
    """

    def __init__(
        self,
        folder: Path,
        by: Credentials,
        serve: Callable[[Stream], None] = served,
        ca: bytes = b"",
    ) -> None:
        """
        Listen.

        @param ca: asks for client certificates of this authority.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(by.writeTo(folder / f"server-{id(self)}.pem"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        if ca:
            context.load_verify_locations(cadata=ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
        self.names: list[str | None] = []
        self.resumed: list[bool | None] = []
        self.agreed: list[str | None] = []
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.context = context
        self._serve = serve
        self.origin = Origin(self._secure)

    def _secure(self, stream: Stream) -> None:
        tls = self.context.wrap_socket(
            stream.socket, server_side=True, do_handshake_on_connect=False
        )
        stream.socket = tls
        try:
            tls.do_handshake()
        except ssl.SSLError:
            # Whoever closes with something unread resets the connection, and a client that
            # writes at that moment never reads the alert.
            tls.shutdown(socket.SHUT_WR)
            while tls.recv(4096):
                pass
            raise
        self.resumed.append(tls.session_reused)
        self.agreed.append(tls.selected_alpn_protocol())
        self._serve(stream)


def truncated(stream: Stream) -> None:
    """Send content that the end of the connection ends, and end it without a word of TLS."""
    stream.head()
    stream.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of")


def ended(stream: Stream) -> None:
    """The same, with the end that TLS has."""
    truncated(stream)
    stream.socket.unwrap()  # type: ignore[attr-defined]


def large(stream: Stream) -> None:
    """Take a body and send it back twice."""
    head = stream.head().lower()
    length = int(head.partition(b"content-length:")[2].split()[0])
    body = stream.exactly(length)
    stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * length))
    stream.send(body)
    stream.send(body)


def once(stream: Stream) -> None:
    """Answer one request and say that the connection ends."""
    stream.head()
    stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    stream.socket.unwrap()  # type: ignore[attr-defined]


def plain(stream: Stream) -> None:
    """Speak no TLS."""
    stream.receive()
    stream.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def abrupt(stream: Stream) -> None:
    """Hang up on a greeting."""
    stream.receive()
    stream.reset()


def silent(stream: Stream) -> None:
    """Say nothing."""
    while stream.receive():
        pass


class _Standing:
    """
    Servers of every kind, and a process that has a route to each.

    It is for all tests, as it costs as much as a dozen of them.

    @ivar bare: origins by their names that are not L{SecureOrigin}s.
    """

    def __init__(self) -> None:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="intermediary-smoke-"))
        ca = authority()
        (folder / "ca.pem").write_bytes(ca.certificate)
        credentials("client").writeTo(folder / "client.pem")
        good = credentials("localhost", "127.0.0.1")
        stranger = credentials("localhost", "127.0.0.1", by="Another Authority")
        own = credentials("127.0.0.1", selfSigned=True)
        (folder / "own.pem").write_bytes(own.certificate)
        self.good = SecureOrigin(folder, good)
        self.closing = SecureOrigin(folder, good, once)
        self.older = SecureOrigin(folder, good, once)
        self.older.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.demanding = SecureOrigin(folder, good, ca=ca.certificate)
        self.wrong = SecureOrigin(folder, credentials("other.example", "10.0.0.1"))
        old = SecureOrigin(folder, good)
        old.context.minimum_version = ssl.TLSVersion.TLSv1
        old.context.maximum_version = ssl.TLSVersion.TLSv1_1
        old.context.set_ciphers("ALL:@SECLEVEL=0")
        self.bare = {"plain": Origin(plain), "abrupt": Origin(abrupt), "silent": Origin(silent)}
        self.origins = {
            "address": self.good.origin,
            "closing": self.closing.origin,
            "older": self.older.origin,
            "nobody": self.demanding.origin,
            "wrong": self.wrong.origin,
            "old": old.origin,
            "large": SecureOrigin(folder, good, large).origin,
            "truncated": SecureOrigin(folder, good, truncated).origin,
            "ended": SecureOrigin(folder, good, ended).origin,
            "expired": SecureOrigin(folder, credentials("127.0.0.1", days=(-3, -2))).origin,
            "stranger": SecureOrigin(folder, stranger).origin,
            "selfsigned": SecureOrigin(folder, own).origin,
            **self.bare,
        }
        ports = {name: each.port for name, each in self.origins.items()}
        trusting = 'ca = "ca.pem"'
        routes = [(name, "127.0.0.1", port, trusting) for name, port in ports.items()]
        routes += [
            ("name", "localhost", ports["address"], trusting),
            ("known", "127.0.0.1", ports["nobody"], f'{trusting}, certificate = "client.pem"'),
            ("renamed", "127.0.0.1", ports["wrong"], f'{trusting}, name = "other.example"'),
            ("unverified", "127.0.0.1", ports["stranger"], "verify = false"),
            ("pinned", "127.0.0.1", ports["selfsigned"], 'ca = "own.pem"'),
        ]
        text = "".join(
            ROUTE.format(name=name, host=host, port=port, tls=tls)
            for name, host, port, tls in routes
        )
        os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
        try:
            self.proxy = RunningProxy(folder, CONFIGURATION % (CONNECT_SECONDS, text))
        finally:
            del os.environ["SSL_CERT_FILE"]
        atexit.register(self.end)

    def end(self) -> None:
        """End with the test run."""
        self.proxy.discard()
        for origin in self.origins.values():
            origin.close()
        shutil.rmtree(self._folder, ignore_errors=True)


@cache
def standing() -> _Standing:
    """Give the process and its servers."""
    if sys.platform != "linux":
        raise SkipTest("what a process holds is asked of /proc")
    return _Standing()


class OriginTLSTests(SynchronousTestCase):
    """However a test went, the process has said nothing of an exception."""

    def setUp(self) -> None:
        self.all = standing()
        self.proxy = self.all.proxy
        self.proxy.port("site")
        self._said = len(self.proxy.log)
        self.addCleanup(self._look)

    def _look(self) -> None:
        said = self.proxy.log[self._said :]
        self.assertNotIn("Traceback", said)
        self.assertNotIn("Unhandled", said)

    def ask(self, target: str, front: str = "site", more: bytes = b"") -> bytes:
        """Send one request, on a connection of its own."""
        with dial(self.proxy.port(front)) as client:
            client.send(
                b"GET %b HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n%b\r\n"
                % (target.encode("ascii"), more)
            )
            return client.rest()

    def refused(self, status: int, cases: dict[str, tuple[str, str]]) -> None:
        """
        Requests get a status, C{Proxy-Status} and a reason in the log.

        @param cases: of both, by the name of the server.
        """
        mark = time.monotonic_ns()
        for name, (error, _) in cases.items():
            answer = self.ask(f"/{name}/{mark}")
            self.assertIn(b"HTTP/1.1 %d " % status, answer)
            self.assertIn(f"\r\nProxy-Status: site; error={error}\r\n".encode("ascii"), answer)
            self.assertNotIn(b"127.0.0.1", answer)
        for name, (error, detail) in cases.items():
            record = self.proxy.record(f"/{name}/{mark}")
            self.assertEqual(record["outcome"], error.partition(";")[0])
            self.assertRegex(record["detail"], rf"https://127\.0\.0\.1:\d+: {detail}")

    def answered(self, target: str) -> None:
        """A request is answered by its server."""
        answer = self.ask(target)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n" + target.encode("ascii")), answer)

    def test_namesAndAddresses(self) -> None:
        """Both are verified; SNI is sent for names alone (RFC 6066 §3), and HTTP/1.1 agreed on."""
        self.answered("/address/x")
        self.answered("/name/x")
        self.assertEqual(set(self.all.good.names), {None, "localhost"})
        self.assertEqual(set(self.all.good.agreed), {"http/1.1"})

    def test_connectionsAreKept(self) -> None:
        """One handshake serves many requests."""
        self.answered("/renamed/1")
        before = self.all.wrong.origin.accepted
        for number in range(2, 6):
            self.answered(f"/renamed/{number}")
        self.assertEqual(self.all.wrong.origin.accepted, before)

    def test_sessionsAreResumed(self) -> None:
        """By the next connection to the same server, with TLS 1.2 and 1.3."""
        for name, origin in (("older", self.all.older), ("closing", self.all.closing)):
            for _ in range(3):
                self.assertTrue(self.ask(f"/{name}/").endswith(b"ok"))
            self.assertEqual(origin.resumed, [False, True, True], name)

    def test_muchContent(self) -> None:
        """Both ways, whole."""
        body = os.urandom(1 << 20) * 3
        with dial(self.proxy.port("site")) as client:
            client.send(
                b"POST /large/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            sending = threading.Thread(target=client.send, args=(body,))
            sending.start()
            client.head()
            self.assertEqual(client.rest(), body + body)
            sending.join()

    def test_theEndOfTLSEndsContent(self) -> None:
        """What the close delimits is whole with a C{close_notify} and cut off without."""
        self.assertIn(b"half of", self.ask("/ended/1"))
        self.assertIsNone(self.proxy.record("/ended/1")["outcome"])
        self.ask("/truncated/1")
        self.assertEqual(self.proxy.record("/truncated/1")["outcome"], "http_response_incomplete")

    def test_certificatesThatProveNothing(self) -> None:
        """C{tls_certificate_error}, and the log says what to do about it."""
        error = "tls_certificate_error"
        details = {
            "wrong": r"the certificate is for other\.example, 10\.0\.0\.1, not 127\.0\.0\.1",
            "expired": r"the certificate expired on \d{4}-\d\d-\d\d",
            "stranger": "issued by an unknown authority: CN=Another Authority",
            "selfsigned": "the certificate is signed by itself",
        }
        self.refused(502, {name: (error, detail) for name, detail in details.items()})

    def test_whoIsTrustedIsServed(self) -> None:
        """By a name of their own, by a certificate of their own, or by no proof at all."""
        self.answered("/renamed/x")
        self.answered("/pinned/x")
        self.answered("/unverified/x")
        self.assertIn("anybody on the way to these servers can pass for them", self.proxy.log)

    def test_ourCertificate(self) -> None:
        """Who asks for it gets it; who gets none says so by an alert (RFC 8446 §4.4.2.4)."""
        self.answered("/known/x")
        error = 'tls_alert_received; alert-id=116; alert-message="certificate required"'
        detail = 'it sent the TLS alert "certificate required": it wants a client certificate'
        self.refused(502, {"nobody": (error, detail)})

    def test_noTLS(self) -> None:
        """Old versions, other protocols, and a connection that breaks."""
        error = "tls_protocol_error"
        alert = 'tls_alert_received; alert-id=70; alert-message="protocol version"'
        cases = {
            "plain": (error, "what it sends is not TLS"),
            "abrupt": (error, "it closed the connection in the middle of the TLS"),
            "old": (alert, ".*it may speak no TLS 1.2 or 1.3"),
        }
        self.refused(502, cases)

    def test_silence(self) -> None:
        """A handshake that stalls ends by the deadline of the connection."""
        began = time.monotonic()
        detail = "the TLS handshake was not over in time"
        self.refused(504, {"silent": ("connection_timeout", detail)})
        self.assertLess(time.monotonic() - began, CONNECT_SECONDS + 3)
        silent = self.all.bare["silent"]
        until(lambda: not silent.connections, "the connection to it is closed")

    def test_clientsThatGoMeanwhile(self) -> None:
        """Nobody waits for the handshake any more: its connection goes, too."""
        silent = self.all.bare["silent"]
        accepted = silent.accepted
        with dial(self.proxy.port("site")) as client:
            client.send(b"GET /silent/ HTTP/1.1\r\nHost: a\r\n\r\n")
            until(lambda: silent.accepted > accepted, "the origin is dialled")
            client.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: not silent.connections, "the connection to it is closed")

    def test_forwardFronts(self) -> None:
        """C{https} in absolute-form, verified by what the system trusts."""
        port = self.all.good.origin.port
        answer = self.ask(f"https://localhost:{port}/secret", "egress")
        self.assertTrue(answer.endswith(b"/secret"), answer)
        answer = self.ask(f"https://127.0.0.1:{self.all.wrong.origin.port}/", "egress")
        self.assertIn(b"\r\nProxy-Status: egress; error=tls_certificate_error\r\n", answer)

    def test_nothingIsLeftOpen(self) -> None:
        """However it went, sockets are closed when the origins are gone."""
        before = self.proxy.descriptors("socket")
        for name in ("wrong", "stranger", "plain", "abrupt", "old", "nobody"):
            self.ask(f"/{name}/")
        until(lambda: self.proxy.descriptors("socket") <= before, f"its sockets are {before} again")
