# -*- test-case-name: tests.smoke.test_acme -*-
"""
Certificates that come by themselves: the real process, and Pebble for an authority.

Without Pebble all of it is skipped.
"""

from __future__ import annotations

import os
import socket
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from ..net.certifying import made
from .authorities import Pebble, Reservation
from .running import RunningProxy, until

#: Pebble looks at once.
AT_ONCE = {"PEBBLE_VA_NOSLEEP": "1"}

CONFIGURATION = """
shutdown-seconds = 3

[reverse.site]
listen = ["tcp:{port}:interface=127.0.0.1"]
[reverse.site.tls.acme]
terms-agreed = true
directory = "{directory}"
ca = "{ca}"
storage = "{storage}"
challenge = "{challenge}"
key = "{key}"
[[reverse.site.route]]
host = ["a.example", "b.example"]
upstream = "web"

[reverse.plain]
listen = ["tcp:{plain}:interface=127.0.0.1"]
[[reverse.plain.route]]
upstream = "web"

[upstream.web]
servers = ["http://127.0.0.1:1"]
"""


class AcmeTestCase(SynchronousTestCase):
    """Ports, a storage, and as many processes as a test wants."""

    def setUp(self) -> None:
        self.secure = Reservation(self).port
        self.plain = Reservation(self).port
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.storage = self.folder / "acme"
        self._started = 0

    def authority(self, **environment: str) -> Pebble:
        """Start an authority that looks where our fronts are."""
        return Pebble(self, self.folder, self.plain, self.secure, **environment)

    def starts(self, pebble: Pebble, challenge: str = "tls-alpn-01", **settings: Any) -> Any:
        """Start a process."""
        self._started += 1
        folder = self.folder / f"process-{self._started}"
        folder.mkdir()
        values = {
            "port": self.secure,
            "plain": self.plain,
            "directory": pebble.directory,
            "ca": pebble.ca,
            "storage": self.storage,
            "challenge": challenge,
            "key": "EC",
            **settings,
        }
        proxy = RunningProxy(folder, CONFIGURATION.format(**values))
        self.addCleanup(proxy.discard)
        proxy.port("site")
        return proxy

    def stops(self, proxy: Any) -> None:
        """Stop a process, which has said nothing of an exception."""
        self.assertEqual(proxy.stop(), 0)
        self.assertNotIn("Traceback", proxy.log)
        self.assertNotIn("Unhandled", proxy.log)

    def shown(self, name: str, port: int = 0) -> x509.Certificate:
        """The certificate that a client gets."""
        # To read all that are trusted takes longer than the handshake.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", port or self.secure), 20) as raw,
            context.wrap_socket(raw, server_hostname=name) as secured,
        ):
            octets = secured.getpeercert(binary_form=True)
        assert octets is not None
        return x509.load_der_x509_certificate(octets)

    def names(self, certificate: x509.Certificate) -> list[str]:
        """What it is for."""
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return found.value.get_values_for_type(x509.DNSName)

    def isIssued(self, name: str, port: int = 0) -> bool:
        """Whether a client gets a certificate of the authority for exactly this name."""
        certificate = self.shown(name, port)
        issued = "Pebble Intermediate" in certificate.issuer.rfc4514_string()
        return issued and self.names(certificate) == [name]

    def gets(self, *names: str, port: int = 0) -> None:
        """Wait until clients get certificates of the authority."""
        for name in names:
            until(partial(self.isIssued, name, port), f"a certificate for {name}", 60)


class ChallengeTests(AcmeTestCase):
    """From nothing to certificates."""

    def test_tlsALPN01(self) -> None:
        """With an authority that takes no nonce for granted; and all is used after a restart."""
        pebble = self.authority(**AT_ONCE, PEBBLE_WFE_NONCEREJECT="30")
        proxy = self.starts(pebble)
        self.gets("a.example", "b.example")
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in self.storage.rglob("*")
            if path.is_file()
        }
        self.assertEqual(
            modes,
            dict.fromkeys(("account.json", "a.example.pem", "b.example.pem", "lock"), 0o600),
        )
        self.assertNotIn("now 2 accounts", pebble.log)
        self.stops(proxy)
        pebble.end()
        said = pebble.log
        proxy = self.starts(pebble)
        self.assertTrue(self.isIssued("a.example"))
        self.assertTrue(self.isIssued("b.example"))
        self.assertNotIn("no certificate", proxy.log)
        self.stops(proxy)
        self.assertEqual(pebble.log, said)

    def test_http01(self) -> None:
        """By way of the front without TLS, which goes on with all else."""
        proxy = self.starts(self.authority(**AT_ONCE), "http-01", key="RSA")
        self.gets("a.example", "b.example")
        self.assertIn("RSA", type(self.shown("a.example").public_key()).__name__)
        with socket.create_connection(("127.0.0.1", self.plain), 20) as client:
            client.sendall(
                b"GET /.well-known/acme-challenge/unknown-token HTTP/1.1\r\n"
                b"Host: a.example\r\nConnection: close\r\n\r\n"
            )
            # Of the server that is not there.
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 502 "))
        self.stops(proxy)


class SharingTests(AcmeTestCase):
    """Several processes with one storage."""

    def test_oneOrdersAndAllAnswerAndServe(self) -> None:
        """The authority comes to one of them, whichever ordered."""
        pebble = self.authority(**AT_ONCE)
        others = Reservation(self).port, Reservation(self).port
        proxies = [
            self.starts(pebble, port=others[0], plain=others[1]),
            self.starts(pebble),
        ]
        for port in (0, others[0]):
            self.gets("a.example", "b.example", port=port)
            self.assertEqual(self.shown("a.example", port), self.shown("a.example"))
        self.assertEqual(pebble.log.count("Issued certificate"), 2)
        for proxy in proxies:
            self.stops(proxy)


class FailureTests(AcmeTestCase):
    """What an operator reads, and how it ends."""

    def test_thePortLeadsNowhere(self) -> None:
        """It is said why, and what to do; clients get what they refuse."""
        other = Reservation(self).port
        proxy = self.starts(self.authority(**AT_ONCE), port=other)
        proxy.says(
            r"no certificate for a\.example: the authority did not find the answer to its "
            r"tls-alpn-01 challenge \(\w+\): .*connect to 127.* To do: port 443 of the name.* "
            r"The next attempt is in \d+ seconds"
        )
        # One name holds up no other.
        proxy.says(r"no certificate for b\.example")
        self.assertFalse(self.isIssued("a.example", other))
        self.stops(proxy)

    def test_nobodyIsThere(self) -> None:
        """It is the same for all names, and tried with one."""
        pebble = self.authority()
        pebble.end()
        proxy = self.starts(pebble)
        proxy.says(r"no ACME server can be talked with at https://localhost.*refused")
        self.assertNotIn("certificate for b.example:", proxy.log)
        self.stops(proxy)

    def test_nobodyIsTrusted(self) -> None:
        """Unless C{ca} says so."""
        pebble = self.authority(**AT_ONCE)
        own = self.folder / "other.pem"
        own.write_bytes(made("other.example").pem)
        proxy = self.starts(pebble, ca=own)
        proxy.says(r"no ACME server can be talked with.*certificate verify failed")
        self.stops(proxy)

    def test_stoppedWhileItOrders(self) -> None:
        """The order is abandoned, and nothing is left of it."""
        pebble = self.authority(PEBBLE_VA_SLEEPTIME="600")
        proxy = self.starts(pebble)
        until(lambda: "Starting 3 validations" in pebble.log, "an order")
        challenges = next(self.storage.glob("*/challenges"))
        self.assertEqual(len(os.listdir(challenges)), 1)
        self.stops(proxy)
        self.assertEqual(os.listdir(challenges), [])
        self.assertNotIn("no certificate for", proxy.log)
