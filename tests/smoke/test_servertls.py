# -*- test-case-name: tests.smoke.test_servertls -*-
"""
Fronts with TLS in the real process: what C{openssl}, C{curl} and others make of them.

What is not installed is skipped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ..net.certifying import authority, made
from .peers import Origin, Stream, dial
from .running import RunningProxy, hello, until

#: A flood is to find room in the queue of the site: the kernel makes whoever finds
#: none wait for a second.
CONFIGURATION = """
shutdown-seconds = 3

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1:backlog=200"]
tls = { certificates = "certs", default = "a.example" }
[[reverse.site.route]]
upstream = "web"

[reverse.balanced]
listen = ["haproxy:tcp:0:interface=127.0.0.1"]
tls = { certificates = "certs", default = "a.example" }
[[reverse.balanced.route]]
upstream = "web"

[reverse.local]
listen = ["unix:local.sock"]
tls = { certificates = "certs", default = "a.example", handshake-seconds = 1 }
[[reverse.local.route]]
upstream = "web"

[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]
tls = { certificate = "certs/a.pem" }

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[log]
access = "access.log"
format = "json"
"""

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"


def telling(stream: Stream) -> None:
    """Answer with what is known of the client."""
    lines = stream.head().split(b"\r\n")
    said = b"|".join(each for each in lines if each.lower().startswith((b"x-", b"forwarded")))
    stream.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(said), said)
    )


class TLSTestCase(SynchronousTestCase):
    """A process for each test, with a root that clients trust."""

    configuration = CONFIGURATION

    def setUp(self) -> None:
        self.root = authority()
        self.folder = Path(self.mktemp()).absolute()
        # UNIX sockets have short names.
        short = Path(f"/tmp/tls-{os.getpid()}-{id(self) % 10000}")
        short.symlink_to(self.folder)
        self.addCleanup(short.unlink)
        self.short = short
        (self.folder / "certs").mkdir(parents=True)
        self.trust = self.folder / "root.pem"
        self.trust.write_bytes(self.root.pem)
        self.put("a", made("a.example", issuer=self.root))
        self.put("rsa", made("a.example", kind="RSA", issuer=self.root))
        self.put("wild", made("*.b.example", number=1, issuer=self.root))
        self.origin = Origin(telling)
        self.addCleanup(self.origin.close)
        self.proxy = RunningProxy(
            self.folder, self.configuration.replace("{port}", str(self.origin.port))
        )
        self.addCleanup(self.proxy.stop)

    def put(self, name: str, one: Any) -> None:
        """Put a certificate into the folder."""
        fresh = self.folder / "fresh"
        fresh.write_bytes(one.both)
        fresh.chmod(0o600)
        fresh.rename(self.folder / "certs" / f"{name}.pem")

    def shake(
        self, name: str = "a.example", front: str = "site", raw: Any = None, **options: Any
    ) -> ssl.SSLSocket:
        """Connect with Python's own TLS, which verifies."""
        context = ssl.create_default_context(cafile=str(self.trust))
        for key, value in options.items():
            if key == "certificate":
                context.load_cert_chain(value)
            else:
                setattr(context, key, value)
        if raw is None:
            raw = socket.create_connection(("127.0.0.1", self.proxy.port(front)), 20)
        secured = context.wrap_socket(raw, server_hostname=name)
        self.addCleanup(secured.close)
        return secured

    def ask(self, secured: Any, octets: bytes = GET) -> bytes:
        """Ask for something, and read until the connection is closed properly."""
        secured.sendall(octets)
        answer = b""
        while piece := secured.recv(65536):
            answer += piece
        return answer

    def run_(self, *command: str, stdin: bytes = b"") -> str:
        """Run a program, if it is installed, and give what it says."""
        if shutil.which(command[0]) is None:
            raise SkipTest(f"{command[0]} is not installed")
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def quiet(self) -> None:
        """The process has said nothing of an exception."""
        self.assertTrue(self.proxy.running)
        self.assertNotIn("Traceback", self.proxy.log)
        self.assertNotIn("Unhandled", self.proxy.log)


class ListenerTests(TLSTestCase):
    """Listeners of every kind."""

    def test_TCP(self) -> None:
        """The origin hears who asks, and how; the end is an alert, not a cut."""
        secured = self.shake()
        self.assertEqual(secured.version(), "TLSv1.3")
        answer = self.ask(secured)
        self.assertIn(b"X-Forwarded-Proto: https", answer)
        self.assertIn(b"Forwarded: for=127.0.0.1;host=a.example;proto=https", answer)
        self.shake("x.b.example")
        self.quiet()

    def test_aBalancersWord(self) -> None:
        """The PROXY protocol comes before TLS."""
        raw = socket.create_connection(("127.0.0.1", self.proxy.port("balanced")), 20)
        raw.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 4321 443\r\n")
        answer = self.ask(self.shake(front="balanced", raw=raw))
        self.assertIn(b"Forwarded: for=192.0.2.9;host=a.example;proto=https", answer)
        self.quiet()

    def test_aUNIXSocket(self) -> None:
        """Its handshakes end in time, too."""
        self.proxy.says("local listens on")
        path = str(self.short / "local.sock")
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(20)
        raw.connect(path)
        self.assertIn(b"X-Forwarded-Proto: https", self.ask(self.shake(raw=raw)))
        idle = socket.socket(socket.AF_UNIX)
        self.addCleanup(idle.close)
        idle.settimeout(20)
        idle.connect(path)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(idle.recv(1), b"")
        self.proxy.says("no TLS handshake with .*: it took too long")
        self.quiet()

    def test_aTunnelInside(self) -> None:
        """A forward proxy that is spoken with by TLS."""
        # It is accepted as soon as there is a tunnel.
        self.origin.serve = hello
        secured = self.shake(front="egress")
        target = b"127.0.0.1:%d" % self.origin.port
        secured.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target))
        self.assertIn(b" 200 ", secured.recv(65536))
        self.assertTrue(self.ask(secured).endswith(b"hello"))
        self.quiet()

    def test_whatIsNoTLS(self) -> None:
        """
        HTTP is answered without TLS, and read on so that the answer arrives.

        There are lines in both logs.
        """
        path = str(self.short / "local.sock")
        self.proxy.says("local listens on")
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(20)
        local.connect(path)
        for stream in (dial(self.proxy.port("site")), Stream(local)):
            with stream:
                stream.send(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 300000\r\n\r\n")
                self.assertIn(b"HTTP/1.1 400 ", stream.head())
                stream.send(bytes(300000))
                stream.endWrite()
                self.assertIn(b"use https instead", stream.rest())
        self.proxy.says("site: no TLS handshake with 127.0.0.1: it speaks HTTP without TLS")
        until(lambda: len(self.proxy.records()) == 2, "they are in the access log")
        for record in self.proxy.records():
            self.assertEqual((record["status"], record["outcome"]), (400, "http_request_error"))
        self.quiet()

    def test_aFloodOfHalfHandshakes(self) -> None:
        """Whoever is through goes on being served, and all of it is closed in time."""
        port = self.proxy.port("site")
        secured = self.shake()
        flood = [dial(port) for _ in range(200)]
        for stream in flood:
            stream.send(b"\x16\x03\x01\x02\x00\x01\x00")
        self.assertIn(b"200 OK", self.ask(secured))
        for stream in flood:
            stream.close()
        until(lambda: self.proxy.descriptors("socket") < 20, "they are closed")
        self.quiet()


class ReloadTests(TLSTestCase):
    """Certificates that change."""

    def serial(self) -> Any:
        """Which certificate clients get."""
        certificate: Any = self.shake(maximum_version=ssl.TLSVersion.TLSv1_3).getpeercert()
        return certificate["serialNumber"]

    def test_onASignal(self) -> None:
        """At once; who is connected notices nothing."""
        standing = self.shake()
        before = self.serial()
        self.put("a", made("a.example", days=90, number=5, issuer=self.root))
        os.kill(self.proxy.pid, signal.SIGHUP)
        self.proxy.says("site: certificates were read again, for 2 names")
        self.assertNotEqual(self.serial(), before)
        self.assertIn(b"200 OK", self.ask(standing))
        (self.folder / "certs" / "a.pem").write_bytes(b"hello")
        os.kill(self.proxy.pid, signal.SIGHUP)
        self.proxy.says("a.pem. has no private key in it")
        self.shake()
        self.quiet()

    def test_inTime(self) -> None:
        """Without a signal."""
        self.proxy.port("site")
        self.put("c", made("c.example", number=6, issuer=self.root))
        self.proxy.says("site: certificates were read again, for 3 names")
        self.shake("c.example")
        self.quiet()


class ProgramTests(TLSTestCase):
    """Programs of others."""

    def client(self, *options: str, stdin: bytes = GET) -> str:
        """Run C{openssl s_client}."""
        return self.run_(
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{self.proxy.port('site')}",
            "-servername",
            "a.example",
            "-CAfile",
            str(self.trust),
            "-verify_return_error",
            "-ign_eof",
            *options,
            stdin=stdin,
        )

    def test_openssl(self) -> None:
        """Versions, protocols, tickets."""
        said = self.client("-alpn", "h2,http/1.1")
        self.assertIn("ALPN protocol: http/1.1", said)
        self.assertIn("Verify return code: 0 (ok)", said)
        self.assertIn("X-Forwarded-Proto: https", said)
        kept = str(self.folder / "session")
        for version in ("-tls1_2", "-tls1_3"):
            self.client(version, "-sess_out", kept)
            self.assertIn("Reused, ", self.client(version, "-sess_in", kept))
        self.assertNotIn("HTTP/1.1 200", self.client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
        self.assertIn("RSA", self.client("-tls1_2", "-sigalgs", "RSA+SHA256"))
        self.quiet()

    def test_curl(self) -> None:
        """As a site, and as a proxy that is spoken with by TLS."""
        port = self.proxy.port("site")
        said = self.run_(
            "curl",
            "-sS",
            "--cacert",
            str(self.trust),
            "--connect-to",
            f"a.example:443:127.0.0.1:{port}",
            "https://a.example/",
        )
        self.assertIn("X-Forwarded-Proto: https", said)
        said = self.run_(
            "curl",
            "-sS",
            "--proxy-cacert",
            str(self.trust),
            "--resolve",
            f"a.example:{self.proxy.port('egress')}:127.0.0.1",
            "--proxy",
            f"https://a.example:{self.proxy.port('egress')}",
            f"http://127.0.0.1:{self.origin.port}/",
        )
        self.assertNotIn("curl:", said)
        self.quiet()
