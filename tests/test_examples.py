# -*- test-case-name: tests.test_examples -*-
"""Tests of the examples that C{make run} uses; C{embed.py} has its own."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from intermediary.ops.compile import isGuarded
from intermediary.ops.config import load
from intermediary.ops.options import DEFAULT_FORWARD

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

    def setUp(self) -> None:
        self.configuration = load(str(EXAMPLES / "quickstart.toml"))
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
        self.assertEqual(set(started[1].split()), ports)

    def test_theScriptPrintsTwoLinesToTry(self) -> None:
        """One for each front."""
        self.assertIn("curl -x http://127.0.0.1:3128 http://127.0.0.1:9000/", self.script)
        self.assertIn("curl http://127.0.0.1:8000/", self.script)


class ConfigurationTests(SynchronousTestCase):
    """The other configuration files."""

    def test_areValidWithoutWarnings(self) -> None:
        """Each of them, as it stands."""
        paths = sorted(EXAMPLES.glob("*.toml"))
        self.assertGreater(len(paths), 2)
        for path in paths:
            self.assertEqual(load(str(path)).warnings, (), path.name)

    def test_theOfficeIsGuarded(self) -> None:
        """It listens for others, and has the exceptions that it names."""
        (front,) = load(str(EXAMPLES / "forward.toml")).forward
        self.assertTrue(isGuarded(front))
        self.assertEqual(len(front.settings.allowDestinations), 2)


class OriginTests(SynchronousTestCase):
    """The demo origin."""

    def render(self, method: bytes) -> tuple[bytes, bytes | None]:
        """A request's answer, and its length field."""
        request: Any = DummyRequest([b"x"])
        request.method, request.uri, request.clientproto = method, b"/x?y", b"HTTP/1.1"
        request.content = None
        request.requestHeaders.addRawHeader(b"Via", b"1.1 egress")
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

    def test_HEADHasNoContent(self) -> None:
        """But its length (RFC 9110 §9.3.2)."""
        body, length = self.render(b"HEAD")
        self.assertEqual(body, b"")
        self.assertNotIn(length, (None, b"0"))
