# -*- test-case-name: tests.smoke.test_tlsclients -*-
"""
A site that is reached by TLS alone, as programs of others see it.

Each of them verifies the certificate.  What is not installed is skipped:
C{tests/smoke/install-clients.sh} installs it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.python.reflect import requireModule
from twisted.trial.unittest import SynchronousTestCase

from ..net.certifying import authority
from ..net.responding import answer, stapled
from .peers import Origin, Stream
from .running import RunningProxy, until

requests: Any = requireModule("requests")
httpx: Any = requireModule("httpx")

#: How long one run of a program may take.
PATIENCE_SECONDS = 60.0
#: The same of one that tries some hundred handshakes.
SURVEY_SECONDS = 400
#: How timeout(1) says that it was.
_TIMED_OUT = 124

INSTALL = "is not installed: tests/smoke/install-clients.sh does"

CONFIGURATION = """
shutdown-seconds = 3

[reverse.site]
listen = ["tcp:0:interface=127.0.0.1"]
tls = { certificates = "certs" }
https-only = { from = ["tcp:0:interface=127.0.0.1"], port = 443, max-age = "1y" }
[[reverse.site.route]]
upstream = "web"

[upstream.web]
servers = ["http://127.0.0.1:{port}"]

[cache]

[log]
access = "access.log"
format = "json"
"""

PAGE = b"<!DOCTYPE html><title>hello</title><p>hello"
GET = b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"


def telling(stream: Stream) -> None:
    """Answer with a page that may be stored."""
    stream.head()
    stream.send(
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/html\r\n"
        b"Content-Security-Policy: default-src 'none'\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Strict-Transport-Security: max-age=1\r\n"
        b"Cache-Control: max-age=60\r\n"
        b"Content-Length: %d\r\n"
        b"Connection: close\r\n"
        b"\r\n%b" % (len(PAGE), PAGE)
    )


class SiteCase(SynchronousTestCase):
    """
    Has the site, with certificates whose authority is asked for its word.

    @ivar trust: the file of the authority.
    @ivar code: with which the last program has ended.
    """

    code = 0

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "certs").mkdir(parents=True)
        self.trust = self.folder / "root.pem"
        self.trust.write_bytes(authority().pem)
        self.responder = Origin(self.vouching)
        self.addCleanup(self.responder.close)
        url = f"http://127.0.0.1:{self.responder.port}/"
        self.certificates = {
            kind: stapled(urls=(url,), kind=kind, more=("localhost",)) for kind in ("EC", "RSA")
        }
        for kind, each in self.certificates.items():
            path = self.folder / "certs" / f"{kind}.pem"
            path.write_bytes(each.both + authority().pem)
            path.chmod(0o600)
        self.origin = Origin(telling)
        self.addCleanup(self.origin.close)
        self.proxy = RunningProxy(
            self.folder, CONFIGURATION.replace("{port}", str(self.origin.port))
        )
        self.addCleanup(self.leaves)
        self.port = self.proxy.port("site")
        self.plainPort = self.proxy.port(r"site\+http")

    def leaves(self) -> None:
        """The process has said nothing of an exception, and ends."""
        running = self.proxy.running
        self.proxy.stop()
        self.assertTrue(running)
        self.assertNotIn("Traceback", self.proxy.log)
        self.assertNotIn("Unhandled", self.proxy.log)
        self.assertEqual(self.responder.failures, [])

    def vouching(self, stream: Stream) -> None:
        """Be the responder: all that is asked about is good."""
        head = stream.head()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        asked = stream.exactly(length)
        for each in self.certificates.values():
            serial = each.certificate.serial_number
            if serial.to_bytes((serial.bit_length() + 8) // 8, "big") in asked:
                octets = answer(each)
                stream.send(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(octets), octets)
                )

    def run_(self, *command: str, stdin: bytes = b"", seconds: float = PATIENCE_SECONDS) -> str:
        """
        Run a program; give what it says.

        @raise SkipTest: it is not installed.
        """
        for name in command[:3:2] if command[0] == "timeout" else command[:1]:
            if shutil.which(name) is None:
                raise SkipTest(f"{name} {INSTALL}")
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb"},
            timeout=seconds,
            check=False,
        )
        self.code = done.returncode
        return (done.stdout + done.stderr).decode("utf-8", "replace")


class OpenSSLTests(SiteCase):
    """C{openssl s_client}."""

    def client(self, *options: str, stdin: bytes = GET) -> str:
        """Run it."""
        return self.run_(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}"),
            *("-servername", "a.example", "-verify_hostname", "a.example"),
            *("-CAfile", str(self.trust), "-verify_return_error", "-ign_eof"),
            *options,
            stdin=stdin,
        )

    def test_itComesBack(self) -> None:
        """By tickets, at once and later, in both versions."""
        kept = str(self.folder / "session")
        for version in ("-tls1_2", "-tls1_3"):
            said = self.client(version, "-sess_out", kept)
            self.assertIn("New, TLSv1", said)
            self.assertIn("Verify return code: 0 (ok)", said)
            said = self.client(version, "-sess_in", kept)
            self.assertIn("Reused, TLSv1", said)
            self.assertIn("hello", said)
        said = self.client("-tls1_2", "-reconnect")
        self.assertEqual(said.count("Reused, TLSv1.2"), 5)

    def test_itIsToldThatTheCertificateIsGood(self) -> None:
        """Whichever it is that the client gets."""
        for kind in ("ECDSA", "RSA"):
            ciphers = ("-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-GCM-SHA256")

            def told(ciphers: tuple[str, ...] = ciphers) -> bool:
                said = self.client("-status", *ciphers)
                self.assertIn("hello", said)
                return "Cert Status: good" in said

            until(told, f"a response is stapled to the certificate with {kind}")
        self.assertIn("Cert Status: good", self.client("-status", "-tls1_3"))


class CurlTests(SiteCase):
    """curl."""

    def ask(self, *arguments: str) -> str:
        """Run it."""
        return self.run_(
            *("curl", "-sS", "-i", "-m", "30", "--cacert", str(self.trust)),
            *("--connect-to", f"a.example:443:127.0.0.1:{self.port}"),
            *("--connect-to", f"a.example:80:127.0.0.1:{self.plainPort}"),
            *arguments,
        )

    def test_itIsSentToWhereTLSIs(self) -> None:
        """With what it came with; the answer is the stored one, and says not to come so again."""
        first = self.ask("-L", "http://a.example/x?y")
        self.assertIn(
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://a.example/x?y\r\n", first
        )
        self.assertTrue(first.endswith(PAGE.decode()))
        again = self.ask("https://a.example/x?y")
        self.assertIn("; hit", again)
        for said in (first, again):
            lines = [each for each in said.splitlines() if each.startswith("Strict")]
            self.assertEqual(lines, ["Strict-Transport-Security: max-age=31536000"])
        self.assertIn("308", self.ask("-d", "a=b", "http://a.example/"))
        self.assertIn("404", self.ask("-H", "Host: b.example", "http://a.example/"))
        record = self.proxy.record("/x?y")
        self.assertEqual((record["front"], record["status"]), ("site+http", 308))

    def test_itRemembers(self) -> None:
        """After one answer it does not ask without TLS any more."""
        kept = str(self.folder / "hsts")
        if "HSTS" not in self.run_("curl", "--version"):
            raise SkipTest("this curl knows no HSTS")
        self.assertIn("Location", self.ask("--hsts", kept, "http://a.example/"))
        self.ask("--hsts", kept, "https://a.example/")
        said = self.ask("--hsts", kept, "http://a.example/")
        self.assertNotIn("Location", said)
        self.assertIn("200 OK", said)

    def test_itWantsAStaple(self) -> None:
        """And judges it: C{--cert-status}."""
        until(
            lambda: "200 OK" in self.ask("--cert-status", "https://a.example/"),
            "it believes the response",
        )


class LibraryTests(SiteCase):
    """Clients in Python, each with its own ideas of TLS."""

    def test_requests(self) -> None:
        """One connection for several requests; nothing without the authority."""
        if requests is None:
            raise SkipTest(f"requests {INSTALL}")
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.trust)
            for _ in range(3):
                got = session.get(f"https://localhost:{self.port}/", timeout=30)
                self.assertEqual((got.status_code, got.content), (200, PAGE))
                self.assertIn("strict-transport-security", got.headers)
            session.verify = True
            with self.assertRaises(requests.exceptions.SSLError):
                requests.get(f"https://localhost:{self.port}/", timeout=30)

    def test_httpx(self) -> None:
        """The same."""
        if httpx is None:
            raise SkipTest(f"httpx {INSTALL}")
        url = f"https://localhost:{self.port}/"
        context = ssl.create_default_context(cafile=str(self.trust))
        with httpx.Client(verify=context, trust_env=False, timeout=30) as client:
            for _ in range(3):
                got = client.get(url)
                self.assertEqual((got.status_code, got.content), (200, PAGE))
                self.assertEqual(got.http_version, "HTTP/1.1")
        strangers = httpx.Client(verify=ssl.create_default_context(), trust_env=False)
        with strangers as client, self.assertRaises(httpx.ConnectError):
            client.get(url)


class ChromiumTests(SiteCase):
    """Chromium without a window."""

    def open(self, url: str, key: bytes) -> str:
        """
        Load a page, and give what it has become.

        @param key: what is trusted, whoever has signed its certificate.
        """
        name = next(
            filter(shutil.which, ("chromium", "chromium-browser", "google-chrome")), "chromium"
        )
        digest = base64.b64encode(hashlib.sha256(key).digest()).decode("ascii")
        rules = (
            f"MAP a.example:443 127.0.0.1:{self.port},MAP a.example:80 127.0.0.1:{self.plainPort}"
        )
        return self.run_(
            name,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--ignore-certificate-errors-spki-list={digest}",
            f"--host-resolver-rules={rules}",
            f"--user-data-dir={self.folder / digest[:8].replace('/', '_')}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            url,
        )

    def test_aPage(self) -> None:
        """It follows to where TLS is, and shows nothing of whose key it does not know."""
        keys = [self.certificates[kind].certificate.public_key() for kind in ("EC", "RSA")]
        known, other = (
            key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys
        )
        self.assertIn("<title>hello</title>", self.open("http://a.example/", known))
        self.assertNotIn("<title>hello</title>", self.open("https://a.example/", other))


class SurveyTests(SiteCase):
    """C{testssl.sh}, which looks for what is weak."""

    def test_thereIsNothingToMend(self) -> None:
        """Neither in what is agreed on, nor in how; all that is left is for information."""
        name = next(filter(shutil.which, ("testssl", "testssl.sh")), "testssl")
        found = self.folder / "found.json"
        said = self.run_(
            # Ends whatever it has started, too.
            *("timeout", str(SURVEY_SECONDS), name),
            *("--warnings", "off", "--color", "0", "--nodns", "none"),
            *("--ip", "127.0.0.1", "--add-ca", str(self.trust), "--ids-friendly"),
            *("--connect-timeout", "20", "--openssl-timeout", "20"),
            *("--jsonfile", str(found)),
            # Protocols, kinds of ciphers, forward secrecy, certificates, fields, attacks.
            *("-p", "-s", "-f", "-S", "-h", "-U"),
            f"a.example:{self.port}",
            seconds=SURVEY_SECONDS + 20,
        )
        if self.code == _TIMED_OUT:
            raise SkipTest(f"it was not through in {SURVEY_SECONDS} s")
        self.assertIn("Testing vulnerabilities", said)
        results = {each["id"]: each for each in json.loads(found.read_text("utf-8"))}
        for name, severity in (
            ("TLS1_2", "OK"),
            ("TLS1_3", "OK"),
            ("SSLv3", "OK"),
            ("HSTS_time", "OK"),
            ("secure_client_renego", "OK"),
        ):
            self.assertEqual(results[name]["severity"], severity, results[name])
        # A warning is about the survey itself, or about the programs that it runs.
        fine = ("OK", "INFO", "WARN", "DEBUG")
        weak = [each for each in results.values() if each["severity"] not in fine]
        self.assertEqual(weak, [])
