# -*- test-case-name: tests.ops.test_compile -*-
"""
A whole configuration to all that runs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.interfaces import IFront, IResolver
from intermediary.ops.compile import Assembly, assemble, isGuarded
from intermediary.ops.config import Configuration, ForwardFront, Guard, LogSettings, fromOptions
from intermediary.ops.problems import ConfigurationError
from intermediary.ops.reading import parse
from intermediary.settings import ForwardSettings, Limits, PoolSettings, UpstreamSettings

from ..net.authority import authority
from ..net.certifying import made
from ..policy.exchanges import asked
from .documents import STABLE

#: What C{--explain} says of the file that the project promises to keep working.
LISTING = """\
forward.egress absolute-form
  request    0 hops.Hops.onRequest
  fetch      1 engine.derive                     (hop-by-hop, Via)
             2 hops.Hops.onFetch
             3 engine.connect                    (parks: connection)
             4 engine.send                       (parks: response head)
  fetched    5 engine.receive
  deliver    6 engine.sendHead                   (parks: body relay)
  finish     7 engine.release
             8 accesslog.AccessLog.record
             9 engine.end                        (next request)

forward.egress CONNECT
  request    0 hops.Hops.onRequest
  fetch      1 dialling.Dialling.dial            (parks: connection)
             2 dialling.Dialling.relay           (parks: tunnel)
  deliver    3 engine.sendHead                   (parks: body relay)
  finish     4 engine.release
             5 accesslog.AccessLog.record
             6 engine.end                        (next request)

forward.egress itself
  request    0 hops.Hops.onRequest
             1 destination.statusPage
  deliver    2 engine.sendHead                   (parks: body relay)
  finish     3 engine.release
             4 accesslog.AccessLog.record
             5 engine.end                        (next request)

reverse.site example.org *.example.org /api/ -> api
  request    0 hops.Hops.onRequest
  fetch      1 engine.derive                     (hop-by-hop, Via)
             2 hops.Hops.onFetch
             3 balancing.Upstream.onFetch
             4 disclosure.Disclosure.onFetch
             5 balancing.HostField.onFetch
             6 engine.connect                    (parks: connection)
             7 engine.send                       (parks: response head)
  fetched    8 engine.receive
             9 redirects.Redirects.hide
  deliver   10 engine.sendHead                   (parks: body relay)
  finish    11 engine.release
            12 accesslog.AccessLog.record
            13 engine.end                        (next request)

reverse.site any host / -> web
  request    0 hops.Hops.onRequest
  fetch      1 engine.derive                     (hop-by-hop, Via)
             2 hops.Hops.onFetch
             3 balancing.Upstream.onFetch
             4 disclosure.Disclosure.onFetch
             5 balancing.HostField.onFetch
             6 engine.connect                    (parks: connection)
             7 engine.send                       (parks: response head)
  fetched    8 engine.receive
             9 redirects.Redirects.hide
  deliver   10 engine.sendHead                   (parks: body relay)
  finish    11 engine.release
            12 accesslog.AccessLog.record
            13 engine.end                        (next request)"""


@implementer(IResolver)
class Book:
    """A resolver that knows everybody."""

    def resolve(self, host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        """Anybody is at home."""
        return succeed([(2, "127.0.0.1")])


class CompileTestCase(SynchronousTestCase):
    """Assembles configurations."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def assemble(self, toml: bytes, **more: Any) -> Assembly:
        """Assemble what a file says."""
        return assemble(parse(toml, "test.toml"), self.reactor, **more)


class ExplainTests(CompileTestCase):
    """Golden listings."""

    def test_theStableConfiguration(self) -> None:
        """Each step of each route, in the order in which they run."""
        self.assertEqual(self.assemble(STABLE).explain(), LISTING)

    def test_withoutALogThereIsNoStepForIt(self) -> None:
        """What is off is not there, and all the rest is the same."""
        expected = [line[15:] for line in LISTING.splitlines() if "accesslog" not in line]
        listing = self.assemble(STABLE.partition(b"[log]")[0]).explain()
        self.assertNotIn("accesslog", listing)
        self.assertEqual([line[15:] for line in listing.splitlines()], expected)

    def test_aCacheIsForWhoeverMayCache(self) -> None:
        """One for all of them; without a table there is none."""
        self.assertIsNone(self.assemble(STABLE).cache)
        assembly = self.assemble(b"cache.memory = 1000\n" + STABLE)
        assert assembly.cache is not None
        self.assertIn("octets=0/1000", repr(assembly.cache.store))
        names = [
            program.name
            for front in assembly.fronts
            for program in front.factory.programs
            if "lookup.Lookup.onLookup" in program.listing()
        ]
        self.assertEqual(
            names,
            [
                "forward.egress absolute-form",
                "reverse.site example.org *.example.org /api/ -> api",
                "reverse.site any host / -> web",
            ],
        )

    def test_nothingIsNothing(self) -> None:
        """An embedding application may have no fronts yet."""
        assembly = assemble(Configuration(), self.reactor)
        self.assertEqual(assembly.explain(), "")
        self.assertEqual(assembly.fronts, ())
        assembly.start()
        assembly.stop()

    def test_nothingIsBoundForIt(self) -> None:
        """Neither port nor timer nor file."""
        path = Path(self.mktemp())
        toml = STABLE.partition(b"[log]")[0] + f'[log]\naccess = "{path}"\n'.encode()
        self.assemble(toml).explain()
        self.assertEqual(self.reactor.tcpServers, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertFalse(path.exists())


class AssemblyTests(CompileTestCase):
    """What there is after it."""

    TWO = b"""
[forward.a]
listen = ["tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1"]
[forward.b]
listen = ["tcp:3"]
[reverse.c]
listen = ["tcp:4"]
[[reverse.c.route]]
upstream = "web"
[reverse.d]
listen = ["tcp:5"]
[[reverse.d.route]]
upstream = "web"
[upstream.web]
servers = ["http://127.0.0.1:9000", "http://127.0.0.1:9001"]
[limits]
connections = 7
header-octets = 40000
[pool]
per-origin = 3
total = 9
"""

    def test_everyFrontIsThere(self) -> None:
        """Forward ones first, with their listeners, in the order of the file."""
        assembly = self.assemble(self.TWO)
        self.assertEqual(
            [(front.settings.name, front.listen) for front in assembly.fronts],
            [
                ("a", ("tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1")),
                ("b", ("tcp:3",)),
                ("c", ("tcp:4",)),
                ("d", ("tcp:5",)),
            ],
        )
        for front in assembly.fronts:
            verifyObject(IFront, front.factory)
            self.assertEqual(front.factory.name, front.settings.name)

    def test_theyShareWhatIsTheProcesss(self) -> None:
        """Pool, gauge and limits."""
        assembly = self.assemble(self.TWO)
        for front in assembly.fronts:
            self.assertIs(front.factory.pool, assembly.pool)
            self.assertIs(front.factory.gauge, assembly.fronts[0].factory.gauge)
            self.assertEqual(front.factory.front.limits.headerOctets, 40000)
        self.assertEqual(assembly.fronts[0].factory.gauge.limit, 7)
        self.assertEqual(assembly.pool.settings, PoolSettings(perOrigin=3, total=9))
        self.assertEqual(assembly.pool.limits.headerOctets, 40000)

    def test_theyShareTheirUpstreams(self) -> None:
        """Turns are taken over all of them."""
        assembly = self.assemble(self.TWO)
        ports = []
        for front in assembly.fronts[2:]:
            exchange = asked(b"GET / HTTP/1.1", b"Host: a")
            program = front.factory.front.route(exchange)
            for index in range(len(program.steps)):
                if program.nameOf(index) == "balancing.Upstream.onFetch":
                    program.steps[index](exchange)
            assert exchange.origin is not None
            ports.append(exchange.origin.port)
        self.assertEqual(ports, [9000, 9001])

    def test_theyAreCalledByTheirOwnNames(self) -> None:
        """A chain through two of them is no loop."""
        assembly = self.assemble(self.TWO)
        self.assertEqual(len({front.factory.pseudonym for front in assembly.fronts}), 4)

    def test_theResolverMayBeAnother(self) -> None:
        """Tests and applications have their own."""
        book = Book()
        assembly = self.assemble(self.TWO, resolver=book)
        connector: Any = assembly.pool.connector
        self.assertIs(connector.resolver, book)

    def test_withoutFrontsTheLimitsAreTheDefaults(self) -> None:
        """There is still a pool."""
        self.assertEqual(assemble(Configuration(), self.reactor).pool.limits, Limits())

    def test_aBadServerIsAValueError(self) -> None:
        """Of an application that makes the configuration itself."""
        configuration = fromOptions(reverse=["tcp:1"], to=["http://a.example"])
        [front] = configuration.reverse
        [route] = front.settings.routes
        wrong = replace(route, upstream=UpstreamSettings(name="x", servers=("gopher://a",)))
        front = replace(front, settings=replace(front.settings, routes=(wrong,)))
        self.assertRaises(
            ValueError, assemble, replace(configuration, reverse=(front,)), self.reactor
        )


class OriginTLSTests(CompileTestCase):
    """What TLS with servers is set up with is read when all is assembled."""

    FRONT = b"""
    [reverse.site]
    listen = ["tcp:1"]
    [[reverse.site.route]]
    upstream = "one"
    [[reverse.site.route]]
    path = "/two"
    upstream = "two"
    """

    def test_whatCantBeUsed(self) -> None:
        """All of it comes at once, by its key; it is no matter without an https:// URL."""
        text = b"""
        [upstream.one]
        servers = ["https://h"]
        tls = { ca = "/nowhere/ca.pem" }
        [upstream.two]
        servers = ["http://h", "https://h"]
        tls = { verify = false, certificate = "/nowhere/us.pem" }
        """
        error = self.assertRaises(ConfigurationError, self.assemble, self.FRONT + text)
        assert isinstance(error, ConfigurationError)
        self.assertEqual(
            [(each.file, each.table, each.value) for each in error.problems],
            [
                ("test.toml", "upstream.one.tls.ca", "/nowhere/ca.pem"),
                ("test.toml", "upstream.two.tls.certificate", "/nowhere/us.pem"),
            ],
        )
        self.assemble(self.FRONT + text.replace(b"https:", b"http:"))

    def test_equalPoliciesAreOne(self) -> None:
        """Of upstreams and of forward fronts, so that they share connections and sessions."""
        path = Path(self.mktemp())
        path.write_bytes(authority().certificate)
        text = b"""
        [upstream.one]
        servers = ["https://h"]
        tls = { ca = "%b" }
        [upstream.two]
        servers = ["https://h:444"]
        tls = { ca = "%b" }
        """
        ca = str(path).encode("ascii")
        assembly = self.assemble(self.FRONT + text % (ca, ca))
        found = []
        for program in assembly.fronts[0].factory.programs:
            exchange = asked(b"GET / HTTP/1.1", b"Host: a")
            for index in range(len(program.steps)):
                if program.nameOf(index) == "balancing.Upstream.onFetch":
                    program.steps[index](exchange)
            assert exchange.origin is not None
            found.append(exchange.origin)
        self.assertEqual([str(each) for each in found], ["https://h:443", "https://h:444"])
        self.assertIsNotNone(found[0].tls)
        self.assertIs(found[0].tls, found[1].tls)


class GuardTests(CompileTestCase):
    """Which forward fronts keep their clients off our networks."""

    def front(self, guard: Guard, *listen: str) -> ForwardFront:
        """A forward front."""
        return ForwardFront(settings=ForwardSettings(name="x"), listen=listen, guard=guard)

    def test_whoIsReachableFromOutsideIsGuarded(self) -> None:
        """If any of its listeners is."""
        for listen, guarded in (
            (("tcp:1:interface=127.0.0.1",), False),
            (("tcp:1:interface=\\:\\:1",), False),
            (("unix:/run/x",), False),
            (("tcp:1",), True),
            (("tcp:1:interface=127.0.0.1", "tcp:1:interface=192.0.2.1"), True),
            (("systemd:domain=INET:index=0",), True),
        ):
            self.assertEqual(isGuarded(self.front(Guard.AUTO, *listen)), guarded, listen)

    def test_whoSaysSoIsNotAsked(self) -> None:
        """On is on, off is off."""
        self.assertTrue(isGuarded(self.front(Guard.ON, "tcp:1:interface=127.0.0.1")))
        self.assertFalse(isGuarded(self.front(Guard.OFF, "tcp:1")))

    def test_itReachesTheRequests(self) -> None:
        """The origins of one front have its guard, those of the other none."""
        assembly = self.assemble(AssemblyTests.TWO)
        guards = []
        for front in assembly.fronts[:2]:
            self.assertIs(type(front.settings), ForwardSettings)
            exchange = asked(b"GET http://a.example/ HTTP/1.1", b"Host: a")
            front.factory.front.route(exchange)
            assert exchange.origin is not None
            guards.append(exchange.origin.guard)
            settings: Any = front.settings
            self.assertEqual(settings.guarded, exchange.origin.guard is not None)
        self.assertIsNone(guards[0])
        self.assertIsNotNone(guards[1])


class LifeTests(CompileTestCase):
    """Start and stop."""

    def log(self, access: str | None) -> Assembly:
        """An assembly with an access log."""
        return assemble(Configuration(log=LogSettings(access=access)), self.reactor)

    def test_theLogIsOpenedAtTheStart(self) -> None:
        """Not before, and closed at the end."""
        path = Path(self.mktemp())
        assembly = self.log(str(path))
        self.assertFalse(path.exists())
        assembly.start()
        self.assertTrue(path.exists())
        assembly.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_aLogThatCantBeOpenedIsAnOSError(self) -> None:
        """The service says it in words."""
        assembly = self.log(str(Path(self.mktemp()) / "no" / "such"))
        self.assertRaises(OSError, assembly.start)

    def test_withoutALogThereIsNothingToOpen(self) -> None:
        """Nor to close."""
        assembly = self.log(None)
        self.assertIsNone(assembly.accessLog)
        assembly.start()
        assembly.stop()

    def test_theCacheIsClosedAtTheEnd(self) -> None:
        """Its timer is not left behind."""
        assembly = self.assemble(b"[cache]\n" + STABLE.partition(b"[log]")[0])
        assert assembly.cache is not None
        refreshing = assembly.cache.refreshing
        assert refreshing is not None
        assembly.stop()
        self.assertTrue(refreshing.closed)

    def test_certificatesAreWatchedMeanwhile(self) -> None:
        """From the begin to the stop, and read again when that is asked for."""
        path = Path(self.mktemp()).absolute()
        path.write_bytes(made("a.example").both)
        site = b'tls = { certificate = "%b" }\n[[reverse.site.route]]\nhost' % bytes(path)
        toml = STABLE.replace(b"[[reverse.site.route]]\nhost", site, 1)
        assembly = self.assemble(toml.partition(b"[log]")[0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        assembly.begin()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        path.write_bytes(made("b.example", number=1).both)
        with capturedLogs() as events:
            self.assertTrue(assembly.reload())
        self.assertEqual([each["front"] for each in events], ["site"])
        assembly.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertFalse(self.log(None).reload())

    def test_thePoolIsClosedAtTheEnd(self) -> None:
        """It keeps no connection any more."""
        assembly = self.log(None)
        assembly.start()
        self.assertFalse(assembly.pool.closed)
        assembly.stop()
        self.assertTrue(assembly.pool.closed)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_aFormatThatIsNoneIsAValueError(self) -> None:
        """Before anything is made of it."""
        configuration = Configuration(log=LogSettings(access="-", format="%(nothing)x {"))
        self.assertRaises(ValueError, assemble, configuration, self.reactor)
