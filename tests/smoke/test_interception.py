# -*- test-case-name: tests.smoke.test_interception -*-
"""
A real process that intercepts, and what C{curl} and Python's own TLS make of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ..net.authority import authority, credentials
from .peers import Origin, Stream, dial
from .running import ROOT, RunningProxy, hello
from .test_origintls import SecureOrigin, large

CONFIGURATION = """
shutdown-seconds = 3

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]
via = "egress"
connect-ports = [{ports}]
intercept = {{ ca = "ca/ca.pem", key = "ca/ca.key", trust = "trust.pem", ports = [{ports}], except = ["127.0.0.2"] }}

[forward.secure]
listen = ["tcp:0:interface=127.0.0.1"]
tls = {{ certificate = "proxy.pem" }}
connect-ports = [{ports}]
intercept = {{ ca = "ca/ca.pem", key = "ca/ca.key", trust = "trust.pem", ports = [{ports}] }}

[log]
access = "access.log"
format = "json"
"""

CONNECT = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n"
GET = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"


class InterceptionTests(SynchronousTestCase):
    """A process for each test, and an authority that it was made by the command."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        (self.folder / "trust.pem").write_bytes(authority().certificate)
        good = credentials("localhost", "127.0.0.1", "127.0.0.2")
        good.writeTo(self.folder / "proxy.pem")
        (self.folder / "proxy.pem").chmod(0o600)
        self.good = SecureOrigin(self.folder, good)
        self.wrong = SecureOrigin(self.folder, credentials("other.example"))
        self.plain = Origin(hello)
        self.origins = [self.good.origin, self.wrong.origin, self.plain]
        for origin in self.origins:
            self.addCleanup(origin.close)
        self.made = subprocess.run(
            [sys.executable, "-m", "intermediary.ops.makeca", str(self.folder / "ca")],
            capture_output=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.ca = str(self.folder / "ca" / "ca.pem")
        ports = ", ".join(str(origin.port) for origin in self.origins)
        self.proxy = RunningProxy(self.folder, CONFIGURATION.format(ports=ports))
        self.addCleanup(self._look)

    def _look(self) -> None:
        """It has said nothing of an exception, and ends when it is told to."""
        if self.proxy.running:
            self.assertEqual(self.proxy.stop(), 0)
        self.assertNotIn("Traceback", self.proxy.log)
        self.assertNotIn("Unhandled", self.proxy.log)

    def opens(self, target: bytes) -> Stream:
        """Have a client connect to somewhere, as far as it can tell."""
        stream = dial(self.proxy.port("egress"))
        self.addCleanup(stream.close)
        stream.send(CONNECT % (target, target))
        self.assertTrue(stream.head().startswith(b"HTTP/1.1 200 "))
        return stream

    def shakes(
        self, port: int, host: str = "localhost", ca: str = "", raw: Any = None
    ) -> ssl.SSLSocket:
        """Have it shake hands; it verifies what it is shown."""
        raw = raw or self.opens(b"%b:%d" % (host.encode(), port)).socket
        context = ssl.create_default_context(cafile=ca or self.ca)
        secured = context.wrap_socket(raw, server_hostname=host)
        self.addCleanup(secured.close)
        return secured

    def asks(self, secured: ssl.SSLSocket, target: bytes, port: int) -> bytes:
        """Ask for something, and read to an end that TLS has."""
        secured.sendall(GET % (target, b"localhost:%d" % port))
        answer = b""
        while piece := secured.recv(65536):
            answer += piece
        return answer

    def test_anExchange(self) -> None:
        """The client sees our certificate, the origin's is verified, and the log has it all."""
        port = self.good.origin.port
        secured = self.shakes(port)
        issuer: Any = secured.getpeercert()
        self.assertIn("intermediary on", str(issuer["issuer"]))
        answer = self.asks(secured, b"/secret?x", port)
        self.assertTrue(answer.endswith(b"/secret?x"), answer)
        self.assertIn(b"Via: 1.1 egress", answer)
        self.assertEqual(self.good.names, ["localhost"])
        record = self.proxy.record(f"https://localhost:{port}/secret?x")
        self.assertIs(record["intercepted"], True)
        self.assertEqual(record["status"], 200)
        secured.close()
        record = self.proxy.record(f"localhost:{port}")
        self.assertEqual((record["method"], record["intercepted"]), ("CONNECT", False))

    def test_muchContent(self) -> None:
        """Both ways, whole."""
        port = self.good.origin.port
        self.good._serve = large
        secured = self.shakes(port)
        body = os.urandom(1 << 20)
        secured.sendall(
            b"POST / HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % (port, len(body))
        )
        secured.sendall(body)
        answer = b""
        while piece := secured.recv(1 << 17):
            answer += piece
        self.assertTrue(answer.endswith(body + body))

    def test_aServerThatIsNotVerified(self) -> None:
        """It is told to the user, and nothing of the request reaches it."""
        port = self.wrong.origin.port
        answer = self.asks(self.shakes(port), b"/secret", port)
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        self.assertIn(b"error=tls_certificate_error; details=", answer)
        self.assertIn(b"the certificate is for other.example, not localhost", answer)
        self.assertEqual(self.wrong.agreed, [])

    def test_whatIsExcepted(self) -> None:
        """The client speaks with the server itself."""
        trust = str(self.folder / "trust.pem")
        port = self.good.origin.port
        with contextlib.closing(socket.socket()) as probing:
            try:
                probing.bind(("127.0.0.2", 0))
            except OSError as error:
                raise SkipTest("there is no 127.0.0.2") from error
        stream = dial(self.proxy.port("egress"))
        self.addCleanup(stream.close)
        target = b"127.0.0.2:%d" % port
        stream.send(CONNECT % (target, target))
        head = stream.head()
        # The origin does not listen there: it is dialled before the client is answered.
        self.assertTrue(head.startswith(b"HTTP/1.1 502 "), head)
        self.assertIn(b"connection_refused", head)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.shakes(port, ca=trust)
        self.proxy.says("can't be intercepted on its way to localhost: .*unknown ca.*into except")

    def test_whatIsNoTLS(self) -> None:
        """It is tunnelled as ever."""
        stream = self.opens(b"127.0.0.1:%d" % self.plain.port)
        stream.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(stream.rest().endswith(b"hello"))
        stream.close()
        record = self.proxy.record(f"127.0.0.1:{self.plain.port}")
        self.assertEqual((record["octets_in"], record["status"]), (27, 200))

    def test_TLSInTLS(self) -> None:
        """A proxy that is spoken with by TLS."""
        port = self.good.origin.port
        trust = ssl.create_default_context(cafile=str(self.folder / "trust.pem"))
        raw = socket.create_connection(("127.0.0.1", self.proxy.port("secure")), 20)
        self.addCleanup(raw.close)
        outer = trust.wrap_socket(raw, server_hostname="localhost")
        target = b"localhost:%d" % port
        outer.sendall(CONNECT % (target, target))
        self.assertTrue(outer.recv(65536).startswith(b"HTTP/1.1 200 "))
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=self.ca)
        inner = context.wrap_bio(come, go, server_hostname="localhost")

        def does(what: Any, *arguments: Any) -> Any:
            while True:
                wants = False
                result = b""
                try:
                    result = what(*arguments)
                except ssl.SSLWantReadError:
                    wants = True
                if octets := go.read():
                    outer.sendall(octets)
                if not wants:
                    return result
                piece = outer.recv(65536)
                if not piece:
                    return b""
                come.write(piece)

        does(inner.do_handshake)
        does(inner.write, GET % (b"/x", target))
        answer = b""
        while piece := does(inner.read, 65536):
            answer += piece
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer)
        self.assertTrue(answer.endswith(b"/x"), answer)

    def test_curl(self) -> None:
        """As the command tells people to use it."""
        if shutil.which("curl") is None:
            raise SkipTest("curl is not installed")
        self.assertIn(b"curl --cacert", self.made.stdout)
        port = self.good.origin.port
        url = f"https://localhost:{port}/from-curl"
        done = subprocess.run(
            ["curl", "-sS", "--cacert", self.ca, "--noproxy", "", "--proxy",
             f"http://127.0.0.1:{self.proxy.port('egress')}", url, url],
            capture_output=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        self.assertEqual(done.stdout, b"/from-curl/from-curl", done.stderr)
        self.assertEqual(self.good.origin.accepted, 1)

    def test_theEnd(self) -> None:
        """Connections that are idle are told, and do not hold up the end of the process."""
        secured = self.shakes(self.good.origin.port)
        waiting = self.opens(b"localhost:%d" % self.good.origin.port)
        self.proxy.signal(signal.SIGTERM)
        self.assertEqual(secured.recv(1), b"")
        secured.close()
        self.assertTrue(waiting.ends())
        self.assertEqual(self.proxy.ended(), 0)
