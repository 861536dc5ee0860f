# -*- test-case-name: tests.smoke.test_mutualtls -*-
"""
Certificates of clients, as C{docs/mtls.md} has them made, in the real process.

What is not installed is skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from ..net.certifying import authority, made
from .peers import Origin, Stream
from .running import ROOT, RunningProxy, until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def telling(stream: Stream) -> None:
    """Answer with what is told of the client."""
    lines = stream.head().split(b"\r\n")
    said = b"|".join(each for each in lines if b"lient" in each)
    stream.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(said), said)
    )


class MutualTLSTests(SynchronousTestCase):
    """The page of the documentation, followed."""

    def setUp(self) -> None:
        for program in ("openssl", "curl", "sh"):
            if shutil.which(program) is None:
                raise SkipTest(f"{program} is not installed")
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.root = authority()
        (self.folder / "root.pem").write_bytes(self.root.pem)
        site = made("localhost", issuer=self.root)
        for name, octets in (("site.pem", site.pem), ("site.key", site.key)):
            (self.folder / name).write_bytes(octets)
            (self.folder / name).chmod(0o600)
        page = (ROOT / "docs" / "mtls.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        self.authority, self.issue, _, self.revoke = blocks

    def shell(self, text: str) -> str:
        """Run what the page says, and give what that says."""
        done = subprocess.run(
            ["sh", "-e"],
            input=text.encode(),
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        self.assertEqual(done.returncode, 0, said)
        return said

    def start(self) -> RunningProxy:
        """Start the proxy with the example, at free ports."""
        origin = Origin(telling)
        self.addCleanup(origin.close)
        text = (ROOT / "examples" / "mtls.toml").read_text(encoding="utf-8")
        text = re.sub(r"tcp:\d+:", "tcp:0:", text).replace(":9000", f":{origin.port}")
        proxy = RunningProxy(self.folder, text)
        self.addCleanup(proxy.stop)
        return proxy

    def curl(self, proxy: RunningProxy, *options: str, path: str = "/") -> str:
        """Ask the site."""
        done = subprocess.run(
            [
                "curl",
                "-sS",
                "--cacert",
                "root.pem",
                *options,
                f"https://localhost:{proxy.port('site')}{path}",
                "--resolve",
                f"localhost:{proxy.port('site')}:127.0.0.1",
            ],
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def connects(self, proxy: RunningProxy, *options: str) -> str:
        """Ask the site by C{openssl s_client}."""
        done = subprocess.run(
            [
                "openssl",
                "s_client",
                "-connect",
                f"127.0.0.1:{proxy.port('site')}",
                "-servername",
                "localhost",
                "-CAfile",
                "root.pem",
                "-ign_eof",
                *options,
            ],
            input=GET,
            cwd=self.folder,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return (done.stdout + done.stderr).decode("utf-8", "replace")

    def test_thePage(self) -> None:
        """An authority is made, a certificate issued, used, and revoked."""
        self.shell(self.authority)
        for name in ("alice", "bob"):
            self.shell(self.issue.replace("alice", name))
        proxy = self.start()
        alice = ("--cert", "alice.pem", "--key", "alice.key")
        bob = ("--cert", "bob.pem", "--key", "bob.key")
        forged = ("-H", "X-Client-Subject: CN=root", "-H", "X_Client_Subject: CN=root")
        for path in ("/", "/admin/"):
            said = self.curl(proxy, *alice, *forged, path=path)
            self.assertEqual(said, "X-Client-Subject: CN=alice,O=Example")
        self.assertIn("CN=bob,O=Example", self.curl(proxy, *bob))
        for path in ("/admin", "/admin/"):
            self.assertIn("403 Forbidden", self.curl(proxy, *bob, path=path))
        self.assertEqual(self.curl(proxy, *alice, *forged, path="/static/"), "")
        self.assertIn("curl:", self.curl(proxy))
        proxy.says("site: no TLS handshake with 127.0.0.1: it showed no certificate")
        record: Any = proxy.record("/static/")
        self.assertEqual(record["client_subject"], "CN=alice,O=Example")

        kept = ("-cert", "alice.pem", "-key", "alice.key")
        for version in ("-tls1_2", "-tls1_3"):
            session = f"session{version}"
            said = self.connects(proxy, *kept, version, "-sess_out", session)
            self.assertIn("CN = Clients of Example", said)
            self.assertIn("CN=alice,O=Example", said)
            said = self.connects(proxy, *kept, version, "-sess_in", session)
            self.assertIn("Reused, ", said)
            self.assertIn("CN=alice,O=Example", said)

        self.shell(self.revoke)
        os.kill(proxy.pid, signal.SIGHUP)
        proxy.says("site: who vouches for clients was read again")
        told = "site: no TLS handshake with 127.0.0.1: the certificate of CN=alice,O=Example is revoked"

        def refused() -> bool:
            self.assertIn("curl:", self.curl(proxy, *alice))
            # The log has one line a second.
            return told in proxy.log

        until(refused, "the log says why")
        for version in ("-tls1_2", "-tls1_3"):
            said = self.connects(proxy, *kept, version, "-sess_in", f"session{version}")
            self.assertNotIn("Reused, ", said)
            self.assertNotIn("200 OK", said)
        self.assertIn("CN=bob,O=Example", self.curl(proxy, *bob))
        self.assertTrue(proxy.running)
        self.assertNotIn("Traceback", proxy.log)
        self.assertNotIn("Unhandled", proxy.log)

    def test_aProxyForSome(self) -> None:
        """A forward front that is spoken with by TLS, and asks for a certificate."""
        self.shell(self.authority)
        self.shell(self.issue)
        proxy = self.start()
        port = proxy.port("egress")
        origin = Origin(telling)
        self.addCleanup(origin.close)

        def through(*options: str) -> str:
            done = subprocess.run(
                [
                    "curl",
                    "-sS",
                    "--proxy-cacert",
                    "root.pem",
                    "--resolve",
                    f"localhost:{port}:127.0.0.1",
                    "--proxy",
                    f"https://localhost:{port}",
                    *options,
                    f"http://127.0.0.1:{origin.port}/",
                ],
                cwd=self.folder,
                capture_output=True,
                timeout=60,
                check=False,
            )
            return (done.stdout + done.stderr).decode("utf-8", "replace")

        self.assertIn("curl:", through("-p"))
        shown = ("--proxy-cert", "alice.pem", "--proxy-key", "alice.key")
        for way in ((), ("-p",)):
            self.assertEqual(through(*shown, *way), "")
        self.assertTrue(proxy.running)
        self.assertNotIn("Traceback", proxy.log)
