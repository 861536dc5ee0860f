# -*- test-case-name: tests.smoke.test_clients -*-
"""
Programs that people use with a proxy, against local servers.

What is not installed is skipped: C{tests/smoke/install-clients.sh} installs it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.python.reflect import requireModule

from .peers import Background, Stream
from .running import RunningProxy, TrafficTestCase
from .servers import Site, makeCertificate

requests: Any = requireModule("requests")
aiohttp: Any = requireModule("aiohttp")

#: How long one run of a program may take.
PATIENCE_SECONDS = 60.0

INSTALL = "is not installed: tests/smoke/install-clients.sh does"

MIB = 1 << 20

#: A forward front with a cache.
CACHING = """
[forward.egress]
listen = ["tcp:0:interface=127.0.0.1"]
via = "egress"
[cache]
"""

#: Has the browser look into its own cache, where what it was told lies beside the content.
ASKING_SCRIPT = b"""
const said = ["/", "/style.css", "/script.js", "/image.svg"].map(path => {
  const request = new XMLHttpRequest();
  request.open("GET", path, false);
  request.send();
  return `${path} ${request.getResponseHeader("Cache-Status")}`;
});
document.title = said.join(" | ");
"""


def program(*names: str) -> str:
    """Find the first of some programs; empty if none is there."""
    return next(filter(None, map(shutil.which, names)), "")


class ClientTestCase(TrafficTestCase):
    """
    Tests with a program of others.

    @ivar plain: a site.
    @ivar secret: a site with TLS.
    @ivar forward: the forward endpoint's URL.
    """

    def setUp(self) -> None:
        """Start the servers."""
        super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate = self.folder / "certificate.pem"
        makeCertificate(self.certificate)
        self.plain = Site(self, self.folder)
        self.secret = Site(self, self.folder, self.certificate)
        self.forward = f"http://127.0.0.1:{self.proxy.port('egress')}"
        self._recorded = len(self.proxy.records())

    def run_(self, *command: str, content: bytes = b"", **variables: str) -> bytes:
        """
        Run a program with no surroundings but those given.

        @return: its output.
        """
        done = subprocess.run(
            command,
            input=content,
            capture_output=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables},
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        self.assertEqual(done.returncode, 0, (done.stdout[-2000:], done.stderr[-2000:]))
        return done.stdout

    def cameThrough(self, site: Site, *paths: str) -> None:
        """Check that a site was asked for these paths, by way of the proxy alone."""
        asked = {path.partition("?")[0] for _, path, _ in site.requests}
        self.assertLessEqual(set(paths), asked)
        via = {via for _, _, via in site.requests}
        if site is self.secret:
            self.assertEqual(via, {None})
            self.proxy.record(f"127.0.0.1:{site.port}")
        else:
            self.assertEqual(via, {"1.1 egress"})


class CurlTests(ClientTestCase):
    """curl."""

    if not (curl := program("curl")):
        skip = f"curl {INSTALL}"

    def ask(self, *arguments: str, content: bytes = b"") -> bytes:
        """Run it with the forward endpoint, unless the arguments say otherwise."""
        return self.run_(
            self.curl, "-sS", "-f", "-m", "30", "-x", self.forward, *arguments, content=content
        )

    def test_absoluteForm(self) -> None:
        """Several requests over one connection."""
        self.assertEqual(
            self.ask(f"{self.plain.url}/style.css", f"{self.plain.url}/script.js"),
            self.plain.files["/style.css"][1] + self.plain.files["/script.js"][1],
        )
        self.cameThrough(self.plain, "/style.css", "/script.js")

    def test_tunnels(self) -> None:
        """C{https}, and C{http} with C{--proxytunnel}."""
        certificate = str(self.certificate)
        page = self.plain.files["/"][1]
        self.assertEqual(self.ask("--cacert", certificate, f"{self.secret.url}/"), page)
        self.cameThrough(self.secret, "/")
        self.assertEqual(self.ask("-p", f"{self.plain.url}/"), page)
        self.assertEqual(self.plain.requests, [("GET", "/", None)])

    def test_HEAD(self) -> None:
        """With the length of what is not sent."""
        head = self.ask("-I", f"{self.plain.url}/")
        self.assertIn(b"Content-Length: %d" % len(self.plain.files["/"][1]), head)

    def test_HTTP10(self) -> None:
        """Still."""
        self.assertEqual(
            self.ask("-0", f"{self.plain.url}/style.css"), self.plain.files["/style.css"][1]
        )

    def test_uploads(self) -> None:
        """Of known and of unknown length."""
        content = os.urandom(3 * MIB)
        for arguments in (("--data-binary", "@-"), ("-T", "-")):
            echo = self.ask(*arguments, f"{self.plain.url}/echo", content=content)
            self.assertEqual(echo, content)

    def test_expectContinue(self) -> None:
        """Through the gateway: curl sends its content when the origin has said so."""

        def serve(stream: Stream) -> None:
            head = stream.head().lower()
            assert b"expect: 100-continue" in head
            stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = b"".join(stream.chunks())
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

        self.origin.serve = serve
        content = os.urandom(2 * MIB)
        echo = self.run_(
            self.curl,
            *("-sS", "-f", "-m", "30", "-H", "Expect: 100-continue", "--expect100-timeout", "25"),
            *("-T", "-", f"http://127.0.0.1:{self.proxy.port('site')}/"),
            content=content,
        )
        self.assertEqual(echo, content)
        self.assertEqual(self.origin.failures, [])


class RequestsTests(ClientTestCase):
    """requests."""

    if requests is None:
        skip = f"requests {INSTALL}"

    def test_everything(self) -> None:
        """Either form, and uploads of either kind, in one session."""
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"http": self.forward, "https": self.forward}
            session.verify = str(self.certificate)

            def ask(method: str, url: str, data: Any = None) -> tuple[int, bytes]:
                # An answer that is not closed keeps the connection from closing.
                with session.request(method, url, data=data, timeout=30) as answer:
                    return answer.status_code, answer.content

            for site in (self.plain, self.secret):
                for _ in range(3):
                    self.assertEqual(ask("GET", f"{site.url}/"), (200, site.files["/"][1]))
                content = os.urandom(MIB)
                for data in (content, iter([content[:7], content[7:]])):
                    self.assertEqual(ask("POST", f"{site.url}/echo", data), (200, content))
                self.assertEqual(ask("GET", f"{site.url}/none")[0], 404)
        for site in (self.plain, self.secret):
            self.cameThrough(site, "/", "/echo", "/none")


class AiohttpTests(ClientTestCase):
    """aiohttp."""

    if aiohttp is None:
        skip = f"aiohttp {INSTALL}"

    async def ask(self) -> list[tuple[int, bytes]]:
        """Ask both sites many times at once."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        urls = [f"{site.url}/script.js" for site in (self.plain, self.secret) for _ in range(20)]
        async with aiohttp.ClientSession() as session:

            async def one(url: str) -> tuple[int, bytes]:
                async with session.get(url, proxy=self.forward, ssl=context) as answer:
                    return answer.status, await answer.read()

            return await asyncio.gather(*map(one, urls))

    def test_manyAtOnce(self) -> None:
        """Requests in absolute form and tunnels side by side."""
        # In a thread, as the loop of this one is the reactor's.
        answers = Background(lambda: asyncio.run(self.ask())).result()
        self.assertEqual(answers, [(200, self.plain.files["/script.js"][1])] * 40)
        self.cameThrough(self.plain, "/script.js")
        self.cameThrough(self.secret, "/script.js")


class GitTests(ClientTestCase):
    """git over http."""

    if not (executable := program("git")):
        skip = f"git {INSTALL}"

    def git(self, *arguments: str) -> bytes:
        """Run it."""
        return self.run_(
            self.executable,
            *("-c", f"http.proxy={self.forward}", "-c", f"http.sslCAInfo={self.certificate}"),
            # Larger pushes are sent in chunks.
            *("-c", "http.postBuffer=65536", "-c", "init.defaultBranch=main"),
            *("-c", "user.name=Tester", "-c", "user.email=tester@example.org"),
            *arguments,
            GIT_CONFIG_NOSYSTEM="1",
            GIT_TERMINAL_PROMPT="0",
        )

    def test_cloneAndPush(self) -> None:
        """There and back again, in absolute form and through a tunnel."""
        self.git("init", "-q", "--bare", "shared.git")
        self.git("-C", "shared.git", "config", "http.receivepack", "true")
        for site in (self.plain, self.secret):
            url = f"{site.url}/git/shared.git"
            self.git("clone", "-q", url, site.scheme)
            (self.folder / site.scheme / f"{site.scheme}.bin").write_bytes(os.urandom(MIB))
            self.git("-C", site.scheme, "add", ".")
            self.git("-C", site.scheme, "commit", "-q", "-m", f"By {site.scheme}")
            self.git("-C", site.scheme, "push", "-q", "origin", "HEAD:main")
            self.git("clone", "-q", url, f"{site.scheme}-again")
            self.assertEqual(
                self.git("-C", site.scheme, "rev-parse", "HEAD"),
                self.git("-C", f"{site.scheme}-again", "rev-parse", "HEAD"),
            )
            self.git("-C", f"{site.scheme}-again", "fsck", "--strict")
            self.cameThrough(site, "/git/shared.git/info/refs", "/git/shared.git/git-receive-pack")


class PipTests(ClientTestCase):
    """pip, as it comes with this Python."""

    if requireModule("pip") is None:
        skip = "this Python has no pip"

    def test_download(self) -> None:
        """A wheel from an index, over http and over https."""
        for site, name in ((self.plain, "plainly"), (self.secret, "secretly")):
            site.addPackage(name)
            self.run_(
                *(sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"),
                *("--no-cache-dir", "--proxy", self.forward, "--cert", str(self.certificate)),
                *("--retries", "0", "--timeout", "30", "download", "-q", "--no-deps"),
                *("--index-url", f"{site.url}/simple/", name),
            )
            wheel = f"{name}-1.0-py3-none-any.whl"
            self.assertEqual((self.folder / wheel).read_bytes(), site.files[f"/files/{wheel}"][1])
            self.cameThrough(site, f"/simple/{name}/", f"/files/{wheel}")


class ChromiumTests(ClientTestCase):
    """Chromium without a window."""

    if not (chromium := program("chromium", "chromium-browser", "google-chrome")):
        skip = f"Chromium {INSTALL}"

    def open(self, url: str, profile: str = "profile") -> bytes:
        """
        Load a page by way of the proxy; give what it has become.

        @param profile: what the browser remembers, as a name.
        """
        return self.run_(
            self.chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--ignore-certificate-errors",
            f"--proxy-server={self.forward}",
            "--proxy-bypass-list=<-loopback>",
            f"--user-data-dir={self.folder / profile}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            url,
        )

    def test_aPage(self) -> None:
        """With style, script, image and a request of its own, over http and https."""
        for site in (self.plain, self.secret):
            page = self.open(f"{site.url}/")
            self.assertIn(b"<title>style rgb(1, 2, 3), echo posted</title>", page)
            self.cameThrough(site, "/", "/style.css", "/script.js", "/image.svg", "/echo")

    def test_aPageFromTheCache(self) -> None:
        """
        A second browser gets page and assets as hits, and no one asks the origin again.

        The page's own script says what C{Cache-Status} it sees.
        """
        folder = self.folder / "cached"
        folder.mkdir()
        proxy = RunningProxy(folder, CACHING)
        self.addCleanup(proxy.discard)
        self.forward = f"http://127.0.0.1:{proxy.port('egress')}"
        site = self.plain
        site.cacheControl = "max-age=600"
        site.files["/script.js"] = ("text/javascript", ASKING_SCRIPT)
        paths = {"/", "/style.css", "/script.js", "/image.svg"}
        for profile, expected in (("first", "fwd=uri-miss"), ("second", "hit")):
            page = self.open(f"{site.url}/", profile).decode()
            title = page.partition("<title>")[2].partition("</title>")[0]
            said = dict(line.split(" ", 1) for line in title.split(" | "))
            self.assertEqual(set(said), paths, page)
            for path in paths:
                self.assertRegex(said[path], f"^egress; {expected};", title)
        asked = Counter(path for _, path, _ in site.requests)
        self.assertEqual({path: asked[path] for path in paths}, dict.fromkeys(paths, 1))
