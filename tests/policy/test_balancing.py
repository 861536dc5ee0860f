# -*- test-case-name: tests.policy.test_balancing -*-
"""
Which server an attempt goes to, and what C{Host} it sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import (
    ConnectionRefused,
    ConnectionTerminated,
    DestinationUnavailable,
    IntermediaryError,
    ReadTimeout,
)
from intermediary.interfaces import Origin
from intermediary.policy.balancing import HostField, Peer, RoundRobin, Upstream

from .exchanges import asked, derived, forwardOf

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


def peers(*names: str) -> list[Peer]:
    """Servers of these names."""
    return [Peer.fromURL(f"http://{name}.example") for name in names]


def exchange() -> Exchange:
    """An exchange like any other."""
    return asked(b"GET / HTTP/1.1", b"Host: a.example")


class PeerTests(SynchronousTestCase):
    """Servers from URLs."""

    def test_aURLNamesHostAndPort(self) -> None:
        """The port is 80 without one."""
        for url, host, port in (
            ("http://a.example", "a.example", 80),
            ("http://a.example/", "a.example", 80),
            ("http://a.example:", "a.example", 80),
            ("http://a.example:8000", "a.example", 8000),
            ("HTTP://A.Example:8000", "a.example", 8000),
            ("http://192.0.2.1:9000", "192.0.2.1", 9000),
            ("http://[2001:db8::1]:9000", "2001:db8::1", 9000),
            ("http://[2001:DB8::1]", "2001:db8::1", 80),
            # Nobody listens there; another port would be another server.
            ("http://a.example:0", "a.example", 0),
        ):
            self.assertEqual(Peer.fromURL(url).origin, Origin("http", host, port), url)

    def test_TLS(self) -> None:
        """By the scheme: the port is 443 without one, and what it is spoken by comes along."""
        tls = object()
        for url, host, port in (
            ("https://a.example", "a.example", 443),
            ("HTTPS://a.example:8443/", "a.example", 8443),
            ("https://[2001:db8::1]:80", "2001:db8::1", 80),
        ):
            self.assertEqual(Peer.fromURL(url, tls).origin, Origin("https", host, port, tls), url)
        self.assertEqual(Peer.fromURL("http://a", tls).origin, Origin("http", "a", 80))
        self.assertEqual(Peer.fromURL("https://a.example:443", tls).origin.authority, b"a.example")
        self.assertEqual(
            Peer.fromURL("https://a.example:80", tls).origin.authority, b"a.example:80"
        )
        self.assertRaises(ValueError, Peer.fromURL, "https://a.example")

    def test_TCP(self) -> None:
        """For what is passed through: there is no usual port."""
        for url, host, port in (
            ("tcp://a.example:5432", "a.example", 5432),
            ("tcp://[2001:db8::1]:1", "2001:db8::1", 1),
        ):
            self.assertEqual(Peer.fromURL(url).origin, Origin("tcp", host, port), url)
        for bad in ("tcp://a", "tcp://:1", "tcp://a:0", "tcp://a:1/x", "tcp:a:1"):
            self.assertRaises(ValueError, Peer.fromURL, bad)

    def test_internationalNamesAreMadeASCII(self) -> None:
        """What is sent in C{Host} and asked of the resolver is what the DNS knows."""
        origin = Peer.fromURL("http://bücher.example:8000").origin
        self.assertEqual(origin.host, "xn--bcher-kva.example")
        self.assertEqual(origin.authority, b"xn--bcher-kva.example:8000")

    def test_anythingElseIsRefused(self) -> None:
        """C{ValueError} when the front is made, not an error for each exchange."""
        for url in (
            "",
            "a.example",
            "a.example:80",
            "//a.example",
            "https://a.example",
            "ftp://a.example",
            "http://",
            "http:///path",
            "http://a.example/path",
            "http://a.example/?query",
            "http://a.example?query",
            "http://a.example/#fragment",
            "http://user:secret@a.example",
            "http://user@a.example",
            "http://a.example:65536",
            "http://a.example:x",
            "http://a.example:-1",
            "http://[2001:db8::1",
            "http://[2001:db8::g]",
            "http://a b.example",
            "http://a..example",
            "http://a_%20.example",
            "unix:/run/x",
        ):
            self.assertRaises(ValueError, Peer.fromURL, url)

    def test_theAuthorityIsThatOfTheURL(self) -> None:
        """The port only if it is unusual, brackets around IPv6."""
        for url, authority in (
            ("http://a.example:80", b"a.example"),
            ("http://a.example:8000", b"a.example:8000"),
            ("http://[2001:db8::1]", b"[2001:db8::1]"),
            ("http://[2001:db8::1]:443", b"[2001:db8::1]:443"),
        ):
            self.assertEqual(Peer.fromURL(url).origin.authority, authority, url)

    def test_reprNamesTheOrigin(self) -> None:
        """For logs."""
        self.assertEqual(repr(Peer.fromURL("http://[::1]:1")), "<Peer http://[::1]:1>")


class RoundRobinTests(SynchronousTestCase):
    """Turns."""

    def orders(self, balancer: RoundRobin, count: int) -> list[str]:
        """The order for each of some exchanges, by first letters."""
        return [
            "".join(peer.origin.host[0] for peer in balancer.candidates(exchange()))
            for _ in range(count)
        ]

    def test_eachExchangeBeginsOneFurther(self) -> None:
        """And has all the others behind it, each once."""
        balancer = RoundRobin(peers("a", "b", "c"))
        self.assertEqual(self.orders(balancer, 4), ["abc", "bca", "cab", "abc"])

    def test_ofOneThereIsOne(self) -> None:
        """Always."""
        self.assertEqual(self.orders(RoundRobin(peers("a")), 3), ["a", "a", "a"])

    def test_whatIsNotTriedDoesNotMatter(self) -> None:
        """Turns go by exchanges, not by attempts."""
        balancer = RoundRobin(peers("a", "b"))
        for _ in range(3):
            next(balancer.candidates(exchange()))
        self.assertEqual(self.orders(balancer, 1), ["ba"])

    def test_ofNoneThereIsNone(self) -> None:
        """It is refused when it is made."""
        self.assertRaises(ValueError, RoundRobin, [])

    def test_laterChangesOfTheListDoNotMatter(self) -> None:
        """An exchange that runs keeps its candidates."""
        servers = peers("a", "b")
        balancer = RoundRobin(servers)
        servers.clear()
        self.assertEqual(self.orders(balancer, 1), ["ab"])


class UpstreamTests(SynchronousTestCase):
    """Attempts at an upstream's peers."""

    def setUp(self) -> None:
        self.upstream = Upstream("web", RoundRobin(peers("a", "b")))

    def attempt(self, exchange: Exchange, error: BaseException | None = None) -> str:
        """Begin an attempt after an error; the host it goes to."""
        exchange.error = error
        self.upstream.onFetch(exchange)
        assert exchange.origin is not None
        return exchange.origin.host

    def test_anAttemptGoesToThePeerWhoseTurnItIs(self) -> None:
        """And the exchange is told what upstream that is."""
        one, two = exchange(), exchange()
        self.assertEqual(self.attempt(one), "a.example")
        self.assertEqual(one.upstreamName, "web")
        self.assertEqual(self.attempt(two), "b.example")

    def test_theNextAttemptGoesToAnotherPeer(self) -> None:
        """Whatever the first failed with."""
        for error in (ConnectionRefused(), ConnectionTerminated(), ReadTimeout()):
            upstream = Upstream("web", RoundRobin(peers("a", "b")))
            one = exchange()
            upstream.onFetch(one)
            one.error = error
            upstream.onFetch(one)
            assert one.origin is not None
            self.assertEqual(one.origin.host, "b.example")

    def test_withNoOtherPeerTheErrorStands(self) -> None:
        """The same peer would only fail again."""
        one = exchange()
        self.attempt(one)
        error = ConnectionRefused("both")
        self.attempt(one, error)
        self.assertIs(self.assertRaises(ConnectionRefused, self.attempt, one, error), error)
        self.assertIsNone(one.candidates)

    def test_withNoOtherPeerADeadConnectionIsNoReason(self) -> None:
        """The peer itself may be well: a new connection to it is tried (RFC 9112 §9.3.1)."""
        self.upstream = Upstream("web", RoundRobin(peers("a")))
        one = exchange()
        self.assertEqual(self.attempt(one), "a.example")
        self.assertEqual(self.attempt(one, ConnectionTerminated("idle")), "a.example")

    def test_withoutAnyPeerItIsUnavailable(self) -> None:
        """503, and no attempt more."""

        class Nobody:
            """A balancer whose peers are all down."""

            def candidates(self, exchange: Exchange) -> Any:
                """None."""
                return iter(())

        upstream = Upstream("web", Nobody())
        one = exchange()
        error = self.assertRaises(DestinationUnavailable, upstream.onFetch, one)
        assert isinstance(error, IntermediaryError)
        self.assertEqual(error.status, 503)
        self.assertIsNone(one.candidates)
        self.assertIsNone(one.origin)

    def test_twoExchangesDoNotShareTheirCandidates(self) -> None:
        """One that is tried again does not take the other's turn."""
        one, two = exchange(), exchange()
        self.assertEqual(self.attempt(one), "a.example")
        self.assertEqual(self.attempt(two), "b.example")
        self.assertEqual(self.attempt(one, ConnectionRefused()), "b.example")
        self.assertEqual(self.attempt(two, ConnectionRefused()), "a.example")

    def test_reprNamesTheUpstream(self) -> None:
        """For logs."""
        self.assertTrue(repr(self.upstream).startswith("<Upstream web "))


class HostFieldTests(SynchronousTestCase):
    """What C{Host} the server sees."""

    def sent(self, preserve: bool, *lines: bytes, url: str = "http://web.example:9000") -> Any:
        """The lines of C{Host} that are sent."""
        one = derived(*lines)
        one.origin = Peer.fromURL(url).origin
        HostField(preserve).onFetch(one)
        return forwardOf(one).fields.getAll(b"host")

    def test_theClientsIsPreserved(self) -> None:
        """As it came."""
        self.assertEqual(
            self.sent(True, b"GET / HTTP/1.1", b"Host: Site.example:8000"), [b"Site.example:8000"]
        )

    def test_theServersOwnReplacesIt(self) -> None:
        """Once, and with the port where it is unusual."""
        self.assertEqual(
            self.sent(False, b"GET / HTTP/1.1", b"host: site.example"), [b"web.example:9000"]
        )
        self.assertEqual(
            self.sent(False, b"GET / HTTP/1.1", b"Host: a", url="http://[2001:db8::1]:80"),
            [b"[2001:db8::1]"],
        )

    def test_whereThereIsNoneTheServersOwnIsSent(self) -> None:
        """HTTP/1.1 needs one (RFC 9112 §3.2)."""
        for preserve in (True, False):
            self.assertEqual(self.sent(preserve, b"GET / HTTP/1.0"), [b"web.example:9000"])

    def test_anotherServerGetsItsOwn(self) -> None:
        """What was made for one peer is not sent to another, nor for another."""
        one = derived(b"GET / HTTP/1.1", b"Host: site.example")
        received = forwardOf(one).fields
        step = HostField(False)
        for name in ("a", "b", "a"):
            forwardOf(one).fields = received
            one.origin = Peer.fromURL(f"http://{name}.example").origin
            step.onFetch(one)
            self.assertEqual(forwardOf(one).fields.get(b"host"), b"%b.example" % name.encode())

    def test_whatWasMadeOnceIsUsedAgain(self) -> None:
        """Clients repeat their fields: the same ones give the same ones."""
        one = derived(b"GET / HTTP/1.1", b"Host: site.example")
        received = forwardOf(one).fields
        one.origin = Peer.fromURL("http://a.example").origin
        step = HostField(False)
        step.onFetch(one)
        first = forwardOf(one).fields
        forwardOf(one).fields = received
        step.onFetch(one)
        self.assertIs(forwardOf(one).fields, first)
