# -*- test-case-name: tests.test_examples -*-
"""Tests of the examples that C{make run} uses; C{embed.py} has its own."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import CACHED
from twisted.web.server import NOT_DONE_YET
from twisted.web.test.requesthelper import DummyRequest

from intermediary.ops.compile import isGuarded
from intermediary.ops.config import load
from intermediary.ops.options import DEFAULT_FORWARD

from .net.certifying import authority, listPEM, made, revoked

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> ModuleType:
    """Import an example, which is no package's."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class QuickstartTests(SynchronousTestCase):
    """The configuration that newcomers see first."""

    name = "quickstart.toml"

    def setUp(self) -> None:
        self.configuration = load(str(EXAMPLES / self.name))
        self.script = (EXAMPLES / "quickstart.sh").read_text(encoding="utf-8")

    def test_isValidWithoutWarnings(self) -> None:
        """One front of each kind, on the ports that the documentation names."""
        (forward,) = self.configuration.forward
        (reverse,) = self.configuration.reverse
        self.assertEqual(forward.listen, (DEFAULT_FORWARD,))
        self.assertEqual(reverse.listen, ("tcp:8000:interface=127.0.0.1",))
        self.assertEqual(self.configuration.warnings, ())

    def test_theScriptStartsEveryServer(self) -> None:
        """On the ports of the configuration."""
        (reverse,) = self.configuration.reverse
        ports = {
            server.rpartition(":")[2]
            for route in reverse.settings.routes
            for server in route.upstream.servers
        }
        started = re.search(r"origin\.py ([0-9 ]+)", self.script)
        assert started is not None
        self.assertLessEqual(ports, set(started[1].split()))

    def test_theScriptPrintsTwoLinesToTry(self) -> None:
        """One for each front."""
        self.assertIn("curl -x http://127.0.0.1:3128 http://127.0.0.1:9000/", self.script)
        self.assertIn("curl http://127.0.0.1:8000/", self.script)


class QuickCacheTests(QuickstartTests):
    """The same with a cache."""

    name = "quickstart-cache.toml"

    def test_hasACache(self) -> None:
        """For what is not somebody's account."""
        self.assertIsNotNone(self.configuration.cache)
        (reverse,) = self.configuration.reverse
        cached = {route.path: route.cache is not None for route in reverse.settings.routes}
        self.assertEqual(cached, {"/account/": False, "/": True})


class ConfigurationTests(SynchronousTestCase):
    """The other configuration files."""

    def test_areValidWithoutWarnings(self) -> None:
        """Each of them, as it stands, and with the certificate that it has you make."""
        paths = sorted(EXAMPLES.glob("*.toml"))
        self.assertGreater(len(paths), 2)
        folder = Path(self.mktemp())
        folder.mkdir()
        site = made("localhost", "www.example.org")
        root = authority()
        for name, octets in (
            ("site.pem", site.pem),
            ("site.key", site.key),
            ("proxy.pem", site.pem),
            ("proxy.key", site.key),
            ("our-authority.pem", root.pem),
            ("ca.pem", root.pem),
            ("ca.key", root.key),
            ("clients-ca.pem", root.pem),
            ("clients-crl.pem", listPEM(revoked(root))),
        ):
            (folder / name).write_bytes(octets)
            (folder / name).chmod(0o600)
        for path in paths:
            copy = folder / path.name
            copy.write_bytes(path.read_bytes())
            self.assertEqual(load(str(copy)).warnings, (), path.name)

    def test_theOfficeIsGuarded(self) -> None:
        """It listens for others, and has the exceptions that it names."""
        (front,) = load(str(EXAMPLES / "forward.toml")).forward
        self.assertTrue(isGuarded(front))
        self.assertEqual(len(front.settings.allowDestinations), 2)


class OriginTests(SynchronousTestCase):
    """The demo origin."""

    def request(self, method: bytes, **parameters: bytes) -> Any:
        """A request with parameters in its target."""
        request: Any = DummyRequest([b"x"])
        request.args = {name.encode(): [value] for name, value in parameters.items()}
        request.method, request.uri, request.clientproto = method, b"/x?y", b"HTTP/1.1"
        request.content = None
        request.requestHeaders.addRawHeader(b"Via", b"1.1 egress")
        return request

    def render(self, method: bytes) -> tuple[bytes, bytes | None]:
        """A request's answer, and its length field."""
        request = self.request(method)
        body = example("origin").Echo(9000).render(request)
        length = request.responseHeaders.getRawHeaders(b"content-length", [None])[0]
        return body, length

    def test_answersWithWhatItGot(self) -> None:
        """The request line and the fields, so that a proxy's work shows."""
        body, length = self.render(b"GET")
        self.assertIn(b"origin on port 9000", body)
        self.assertIn(b"GET /x?y HTTP/1.1", body)
        self.assertIn(b"Via: 1.1 egress", body)
        self.assertEqual(length, b"%d" % len(body))

    def test_whatMayBeCached(self) -> None:
        """For as long as the target says, and with a tag by which it is known again."""
        origin = example("origin")
        for tag, expected in ((None, None), (b'"demo"', CACHED)):
            request = self.request(b"GET", **{"max-age": b"10"})
            request.setETag = {b'"demo"': expected}.__getitem__
            body = origin.Echo(9000).render(request)
            control = request.responseHeaders.getRawHeaders(b"cache-control")
            self.assertEqual(control, [b"max-age=10"])
            self.assertEqual(body == b"", tag is not None)
        request = self.request(b"GET", **{"max-age": b"x"})
        origin.Echo(9000).render(request)
        self.assertFalse(request.responseHeaders.hasHeader(b"cache-control"))

    def test_waiting(self) -> None:
        """As long as the target says, or until the client has gone."""
        clock = Clock()
        origin = example("origin").Echo(9000, clock)
        request = self.request(b"GET", wait=b"2")
        self.assertEqual(origin.render(request), NOT_DONE_YET)
        self.assertEqual(request.written, [])
        clock.advance(2)
        self.assertIn(b"GET /x?y", b"".join(request.written))
        self.assertEqual(request.finished, 1)
        request = self.request(b"GET", wait=b"2")
        origin.render(request)
        request.processingFailed(Failure(ConnectionDone()))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_HEADHasNoContent(self) -> None:
        """But its length (RFC 9110 §9.3.2)."""
        body, length = self.render(b"HEAD")
        self.assertEqual(body, b"")
        self.assertNotIn(length, (None, b"0"))
