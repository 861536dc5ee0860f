# -*- test-case-name: tests.policy.test_redirects -*-
"""
No client is sent to a server.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.exchange import Reply
from intermediary.interfaces import Origin
from intermediary.policy.redirects import Redirects
from intermediary.wire.fields import Fields
from intermediary.wire.message import ResponseHead

from .exchanges import asked


class RedirectsTests(SynchronousTestCase):
    """L{Redirects}."""

    def delivered(
        self,
        *pairs: tuple[bytes, bytes],
        origin: Origin = Origin("http", "10.0.0.7", 8080),  # noqa: B008 - it never changes
        ours: bool = False,
    ) -> list[tuple[bytes, bytes]]:
        """What a client gets of the fields of a server."""
        exchange = asked(b"GET / HTTP/1.1", b"Host: a.example")
        exchange.origin = origin
        fields = Fields.fromPairs(pairs)
        if not ours:
            exchange.response = ResponseHead(302, b"Found", 11, fields)
        exchange.reply = Reply(302, fields)
        Redirects().hide(exchange)
        return list(exchange.reply.fields)

    def test_referencesToTheServerBecomeRelative(self) -> None:
        """In every field that has one, and in every spelling of its address."""
        for spelled, relative in (
            (b"http://10.0.0.7:8080/x?y#z", b"/x?y#z"),
            (b"HTTP://10.0.0.7:8080/x", b"/x"),
            (b"//10.0.0.7:8080/x", b"/x"),
            (b"http://10.0.0.7:8080", b"/"),
            (b"http://10.0.0.7:8080?y", b"/?y"),
            (b"http://10.0.0.7:8080//evil.example/", b"/.//evil.example/"),
        ):
            for name in (b"Location", b"Content-Location"):
                self.assertEqual(self.delivered((name, spelled)), [(name, relative)])
            self.assertEqual(
                self.delivered((b"Refresh", b"5; url=" + spelled)),
                [(b"Refresh", b"5; url=" + relative)],
            )

    def test_theUsualPortNeedNotBeSpelled(self) -> None:
        """It is the same server with and without."""
        origin = Origin("http", "web.internal", 80)
        for spelled in (b"http://web.internal/x", b"http://Web.Internal:80/x"):
            self.assertEqual(
                self.delivered((b"Location", spelled), origin=origin), [(b"Location", b"/x")]
            )

    def test_serversWithTLS(self) -> None:
        """Theirs is the other scheme, with the other port."""
        origin = Origin("https", "web.internal", 443, object())
        for spelled in (
            b"https://web.internal/x",
            b"HTTPS://Web.Internal:443/x",
            b"//web.internal/x",
        ):
            self.assertEqual(
                self.delivered((b"Location", spelled), origin=origin), [(b"Location", b"/x")]
            )
        for spelled in (b"http://web.internal/x", b"https://web.internal:8443/x"):
            pairs = [(b"Location", spelled)]
            self.assertEqual(self.delivered(*pairs, origin=origin), pairs)

    def test_otherReferencesStay(self) -> None:
        """Relative ones, other hosts, ports and schemes, and what is no URI."""
        for reference in (
            b"/x",
            b"x",
            b"http://a.example/x",
            b"http://10.0.0.7/x",
            b"http://10.0.0.7:80801/x",
            b"https://10.0.0.7:8080/x",
            b"http://10.0.0.7:8080@a.example/",
            b"/?next=http://10.0.0.7:8080/",
        ):
            pairs = [(b"Location", reference), (b"Refresh", b"0;url=" + reference), (b"A", b"b")]
            self.assertEqual(self.delivered(*pairs), pairs)
        self.assertEqual(self.delivered((b"Refresh", b"30")), [(b"Refresh", b"30")])

    def test_whatIsMadeHereIsNotLookedAt(self) -> None:
        """A component that answers may refer to where it likes."""
        pairs = [(b"Location", b"http://10.0.0.7:8080/")]
        self.assertEqual(self.delivered(*pairs, ours=True), pairs)
