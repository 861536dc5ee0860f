# -*- test-case-name: tests.smoke.test_passthrough -*-
"""
TLS that is passed through the real process, and clients that do not mean well by it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

from ..net.certifying import made
from ..wire.hellos import message, real, record, recut
from .peers import Content, Origin, Stream, dial, digestOf
from .running import until
from .test_servertls import TLSTestCase

#: A flood is to find room in the queue of the site: the kernel makes whoever finds
#: none wait for a second.
CONFIGURATION = """
shutdown-seconds = 20

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1:backlog=200"]
tls = { certificate = "certs/a.pem", handshakes = 100 }
[[reverse.site.route]]
host = ["a.example"]
upstream = "web"
[[reverse.site.passthrough]]
names = ["db.example", "*.x.example"]
upstream = "db"

[reverse.hasty]
listen = ["tcp:0:interface=127.0.0.1"]
tls = { certificate = "certs/a.pem", handshake-seconds = 3 }
[[reverse.hasty.route]]
upstream = "web"
[[reverse.hasty.passthrough]]
names = ["db.example"]
upstream = "db"

[reverse.only]
listen = ["tcp:0:interface=127.0.0.1", "unix:local.sock"]
[[reverse.only.passthrough]]
names = ["db.example"]
upstream = "db"
[[reverse.only.passthrough]]
names = ["gone.example"]
upstream = "gone"

[reverse.balanced]
listen = ["haproxy:tcp:0:interface=127.0.0.1"]
[[reverse.balanced.passthrough]]
names = ["db.example"]
upstream = "db"

[upstream.web]
servers = ["http://127.0.0.1:{port}"]
[upstream.db]
servers = ["tcp://127.0.0.1:{nobody}", "tcp://127.0.0.1:{db}"]
[upstream.gone]
servers = ["tcp://127.0.0.1:{nobody}"]

[log]
access = "access.log"
format = "json"
"""

#: Octets enough for splicing.
MUCH = Content(3 << 20)


class PassthroughTestCase(TLSTestCase):
    """A process, and a server of TLS behind it."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        pem = folder / "db.pem"
        pem.write_bytes(made("db.example", "*.x.example", number=3).both)
        self.theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.theirs.load_cert_chain(pem)
        self.database = Origin(self.serve)
        self.addCleanup(self.database.close)
        # Bound and not listening: nobody else gets it, and connections are refused.
        nobody = socket.socket()
        nobody.bind(("127.0.0.1", 0))
        self.addCleanup(nobody.close)
        self.configuration = CONFIGURATION.replace("{db}", str(self.database.port)).replace(
            "{nobody}", str(nobody.getsockname()[1])
        )
        super().setUp()
        self.trustBoth = str(folder / "trust.pem")
        Path(self.trustBoth).write_bytes(
            self.root.pem + made("db.example", "*.x.example", number=3).pem
        )

    def serve(self, stream: Stream) -> None:
        """Say much to whoever says anything, and what it said."""
        with self.theirs.wrap_socket(stream.socket, server_side=True) as secured:
            said = secured.recv(100)
            for piece in MUCH.pieces():
                secured.sendall(piece)
            secured.sendall(said)
            with contextlib.suppress(OSError):
                secured.unwrap()

    def shake(
        self, name: str = "a.example", front: str = "site", raw: Any = None, **options: Any
    ) -> ssl.SSLSocket:
        """Connect with Python's own TLS, which verifies."""
        context = ssl.create_default_context(cafile=self.trustBoth)
        if raw is None:
            raw = socket.create_connection(("127.0.0.1", self.proxy.port(front)), 20)
        secured = context.wrap_socket(raw, server_hostname=name)
        self.addCleanup(secured.close)
        return secured

    def passes(self, secured: ssl.SSLSocket) -> None:
        """It is the server that is spoken with, and all that it says arrives."""
        secured.sendall(b"hello")
        left = MUCH.octets

        def pieces() -> Any:
            nonlocal left
            while left:
                piece = secured.recv(min(left, 65536))
                assert piece, left
                left -= len(piece)
                yield piece

        self.assertEqual(digestOf(pieces()), MUCH.digest)
        self.assertEqual(secured.recv(5), b"hello")
        # To the end: a close with octets unread would be a reset.
        self.assertEqual(secured.recv(1), b"")
        secured.close()


class TunnelTests(PassthroughTestCase):
    """Clients that mean well."""

    def test_oneForEachName(self) -> None:
        """On one port, with a server that is not there, and one that is; both are logged."""
        for name in ("db.example", "a.x.example"):
            self.passes(self.shake(name))
        self.assertIn(b"200 OK", self.ask(self.shake()))
        until(lambda: len(self.proxy.records()) == 3, "they are in the access log")
        passed = [each for each in self.proxy.records() if each["upstream"] == "db"]
        self.assertEqual({each["host"] for each in passed}, {"db.example", "a.x.example"})
        for each in passed:
            self.assertEqual(each["server"], f"tcp://127.0.0.1:{self.database.port}")
            self.assertEqual((each["peer"], each["method"], each["status"]), ("127.0.0.1", None, 0))
            self.assertGreater(each["octets_in"], 200)
            self.assertGreater(each["octets_out"], MUCH.octets)
            self.assertIsNone(each["outcome"])
        # Turns are taken: one of them was sent to the one that is not there.
        self.assertEqual(sorted(each["attempts"] for each in passed), [1, 2])
        self.quiet()

    def test_otherTransports(self) -> None:
        """From which octets have to be taken to be looked at."""
        raw = socket.create_connection(("127.0.0.1", self.proxy.port("balanced")), 20)
        raw.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 4321 443\r\n")
        self.passes(self.shake("db.example", raw=raw))
        self.proxy.says(r"only listens on .*local\.sock")
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(20)
        local.connect(str(self.short / "local.sock"))
        self.passes(self.shake("db.example", raw=local))
        until(lambda: len(self.proxy.records()) == 2, "they are in the access log")
        peers = {each["peer"] for each in self.proxy.records()}
        self.assertEqual(peers, {"192.0.2.9", "unix:"})
        self.quiet()

    def test_refusals(self) -> None:
        """By an alert that clients understand, and no address in it."""
        for name, reason in (
            ("x.example", "UNRECOGNIZED_NAME"),
            ("gone.example", "ALERT_INTERNAL_ERROR"),
        ):
            with self.assertRaises(ssl.SSLError) as caught:
                self.shake(name, front="only")
            self.assertIn(reason, str(caught.exception.reason))
        self.proxy.says("only: no TLS handshake with 127.0.0.1: it wants x.example, which is not")
        (record_,) = until(self.proxy.records, "it is in the access log")
        self.assertEqual(
            (record_["host"], record_["outcome"]), ("gone.example", "connection_refused")
        )
        with dial(self.proxy.port("only")) as stream:
            stream.send(b"GET / HTTP/1.1\r\n\r\n")
            self.assertIn(b"HTTP/1.1 400 ", stream.rest())
        self.quiet()

    def test_draining(self) -> None:
        """A tunnel goes on; whoever has not begun does not begin."""
        secured = self.shake("db.example")
        silent = dial(self.proxy.port("site"))
        self.proxy.signal(signal.SIGTERM)
        self.assertTrue(silent.ends())
        self.passes(secured)
        self.assertEqual(self.proxy.ended(), 0)


class HostileTests(PassthroughTestCase):
    """Clients that do not."""

    def cpuTicks(self) -> int:
        """How much the process has worked."""
        fields = Path(f"/proc/{self.proxy.pid}/stat").read_text(encoding="ascii").split()
        return int(fields[13]) + int(fields[14])

    def test_theyEndInTime(self) -> None:
        """Silent ones, and such as stop in the middle; waiting for them is no work."""
        hello = real("db.example")
        streams = []
        for octets in (b"", hello[:1], hello[:5], hello[:100], recut(hello, 50)[:120]):
            stream = dial(self.proxy.port("hasty"))
            self.addCleanup(stream.close)
            if octets:
                stream.send(octets)
            streams.append(stream)
        before = self.cpuTicks()
        for stream in streams:
            self.assertTrue(stream.ends())
        worked = (self.cpuTicks() - before) / os.sysconf("SC_CLK_TCK")
        # It took three seconds, which a reactor that is asked again and again is busy for.
        self.assertLess(worked, 1.5)
        self.proxy.says("no TLS handshake with 127.0.0.1: it took too long")
        self.quiet()

    def test_whatIsNoHello(self) -> None:
        """Is refused at once, whoever it is for."""
        giant = b"\x01" + struct.pack(">I", 1 << 20)[1:] + bytes(1000)
        for front in ("site", "only"):
            for octets in (
                bytes(1000),
                b"\x80" * 300,
                record(b"\x02" * 100),
                record(giant),
                record(message(b"\x03\x03" + bytes(31))),
                b"\x16\x03\x01\x00\x00",
                b"\x15\x03\x01\x00\x02\x02\x28",
            ):
                with dial(self.proxy.port(front)) as stream:
                    stream.send(octets)
                    self.assertEqual(stream.exactly(6), b"\x15\x03\x03\x00\x02\x02")
        until(lambda: self.proxy.descriptors("socket") < 20, "they are closed")
        self.assertEqual(self.database.accepted, 0)
        self.quiet()

    def test_abruptEnds(self) -> None:
        """In order or by a reset, wherever: nothing is left."""
        hello = real("db.example")
        for octets in (b"", hello[:1], hello[:5], hello[:-1], hello, hello + b"\x17\x03\x03\x00"):
            for reset in (False, True):
                stream = dial(self.proxy.port("site"))
                if octets:
                    stream.send(octets)
                if reset:
                    stream.reset()
                else:
                    stream.close()
        until(lambda: self.proxy.descriptors("socket") < 20, "they are closed")
        self.assertIn(b"200 OK", self.ask(self.shake()))
        self.quiet()

    def test_aFlood(self) -> None:
        """Tunnels and sessions that stand go on; then there is room for others."""
        port = self.proxy.port("site")
        passed, ours = self.shake("db.example"), self.shake()
        hello = real("db.example")
        flood = [dial(port) for _ in range(200)]
        for stream in flood:
            stream.send(hello[:200])
        self.passes(passed)
        self.assertIn(b"200 OK", self.ask(ours))
        for stream in flood:
            stream.close()
        until(lambda: self.proxy.descriptors("socket") < 20, "they are closed")
        self.passes(self.shake("db.example"))
        self.quiet()

    def test_aHelloInPieces(self) -> None:
        """For us as for others it is the same as in one."""
        for name, front in (("a.example", "site"), ("db.example", "site"), ("db.example", "only")):
            context = ssl.create_default_context(cafile=self.trustBoth)
            heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(heard, said, server_hostname=name)
            stream = dial(self.proxy.port(front))
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with stream:
                with contextlib.suppress(ssl.SSLWantReadError):
                    client.do_handshake()
                for octet in recut(said.read(), 40):
                    stream.send(bytes((octet,)))
                while True:
                    heard.write(stream.receive())
                    try:
                        client.do_handshake()
                    except ssl.SSLWantReadError:
                        continue
                    break
                self.assertEqual(client.getpeercert()["subjectAltName"][0][1], name)  # type: ignore[index]
        self.quiet()
