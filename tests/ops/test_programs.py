# -*- test-case-name: tests.ops.test_programs -*-
"""
Settings to programs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from intermediary.interfaces import IAccessLog
from intermediary.net.origintls import OriginPolicies
from intermediary.ops.endpoints import ForwardProxyFactory, ReverseProxyFactory, makeCache
from intermediary.ops.programs import NOTES, Hooks, Sections, Upstreams
from intermediary.policy.access import DestinationGuard
from intermediary.settings import (
    BypassSettings,
    CacheSettings,
    ClientRuleSettings,
    ClientTLSSettings,
    ForwardSettings,
    InterceptSettings,
    ReverseSettings,
    RouteCacheSettings,
    RouteSettings,
    TLSSettings,
    UpstreamSettings,
)

from ..net.certifying import authority, made
from ..policy.exchanges import asked

if TYPE_CHECKING:
    from intermediary.program import Program

WEB = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000", "http://127.0.0.1:9001"))
API = UpstreamSettings(name="api", servers=("http://127.0.0.1:9002",))


class Everything:
    """A component with all hooks."""

    def onRequest(self, exchange: Any) -> None:
        """A request."""

    def onFetch(self, exchange: Any) -> None:
        """An attempt."""

    def onFetched(self, exchange: Any) -> None:
        """A response."""

    def onDeliver(self, exchange: Any) -> None:
        """A reply."""

    def onFinish(self, exchange: Any) -> None:
        """The end."""


class Something:
    """A component with two."""

    def onRequest(self, exchange: Any) -> None:
        """A request."""

    def onFinish(self, exchange: Any) -> None:
        """The end."""


@implementer(IAccessLog)
class Log:
    """An access log."""

    def record(self, exchange: Any) -> None:
        """A record."""


class ProgramsTestCase(SynchronousTestCase):
    """Makes fronts."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def forward(
        self, components: Any = (), accessLog: Any = None, cache: Any = None, **settings: Any
    ) -> Any:
        """A forward front."""
        return ForwardProxyFactory(
            self.reactor,
            ForwardSettings(name="egress", **settings),
            components=components,
            accessLog=accessLog,
            cache=cache,
        )

    def reverse(
        self, *routes: RouteSettings, components: Any = (), accessLog: Any = None, **more: Any
    ) -> Any:
        """A reverse front."""
        routes = routes or (RouteSettings(upstream=WEB),)
        upstreams = more.pop("upstreams", None)
        cache = more.pop("cache", None)
        return ReverseProxyFactory(
            self.reactor,
            ReverseSettings(name="site", routes=routes, **more),
            components=components,
            accessLog=accessLog,
            upstreams=upstreams,
            cache=cache,
        )

    def asking(self, *routes: RouteSettings, **more: Any) -> Any:
        """A reverse front that asks clients for certificates, and tells servers of them."""
        site, ca = Path(self.mktemp()), Path(self.mktemp())
        site.write_bytes(made("a.example").both)
        ca.write_bytes(authority().pem)
        clients = ClientTLSSettings(ca=str(ca), headers=(("certificate", "Client-Cert"),))
        tls = TLSSettings(certificate=str(site), clients=clients)
        return self.reverse(*routes, tls=tls, cache=makeCache(self.reactor), **more)

    def names(self, program: Program) -> list[str]:
        """The names of its steps."""
        return [program.nameOf(index) for index in range(len(program.steps))]


class HooksTests(SynchronousTestCase):
    """Hooks of components."""

    def test_theyAreInTheOrderOfTheComponents(self) -> None:
        """Each hook by itself."""
        one, two, three = Everything(), Something(), Everything()
        hooks = Hooks([one, two, three])
        self.assertEqual(hooks.onRequest, (one.onRequest, two.onRequest, three.onRequest))
        self.assertEqual(hooks.onFetch, (one.onFetch, three.onFetch))
        self.assertEqual(hooks.onFetched, (one.onFetched, three.onFetched))
        self.assertEqual(hooks.onDeliver, (one.onDeliver, three.onDeliver))
        self.assertEqual(hooks.onFinish, (one.onFinish, two.onFinish, three.onFinish))

    def test_noComponentsAreNoHooks(self) -> None:
        """What is off costs nothing."""
        hooks = Hooks(())
        for name in Hooks.__slots__:
            self.assertEqual(getattr(hooks, name), ())

    def test_theComponentsMayComeFromAnywhere(self) -> None:
        """An iterator is read once."""
        one = Everything()
        self.assertEqual(Hooks(iter([one])).onFinish, (one.onFinish,))

    def test_aComponentWithoutHooksIsAMistake(self) -> None:
        """It would do nothing, in silence."""
        error = self.assertRaises(TypeError, Hooks, [Everything(), object()])
        self.assertIn("onRequest", str(error))


class ForwardTests(ProgramsTestCase):
    """Programs of a forward front."""

    def test_withoutComponents(self) -> None:
        """Nothing but what must be."""
        fetch, tunnel, itself = self.forward().programs
        self.assertEqual(
            self.names(fetch),
            [
                "hops.Hops.onRequest",
                "engine.derive",
                "hops.Hops.onFetch",
                "engine.connect",
                "engine.send",
                "engine.receive",
                "engine.sendHead",
                "engine.release",
                "engine.end",
            ],
        )
        self.assertEqual(
            self.names(tunnel),
            [
                "hops.Hops.onRequest",
                "dialling.Dialling.dial",
                "dialling.Dialling.relay",
                "engine.sendHead",
                "engine.release",
                "engine.end",
            ],
        )
        self.assertEqual(
            self.names(itself),
            [
                "hops.Hops.onRequest",
                "destination.statusPage",
                "engine.sendHead",
                "engine.release",
                "engine.end",
            ],
        )

    def test_withComponents(self) -> None:
        """Their hooks are where DESIGN has them; the log comes after all of them."""
        fetch, tunnel, itself = self.forward([Everything()], Log()).programs
        self.assertEqual(
            fetch.listing(),
            "  request    0 hops.Hops.onRequest\n"
            "             1 test_programs.Everything.onRequest\n"
            "  fetch      2 engine.derive                     (hop-by-hop, Via)\n"
            "             3 hops.Hops.onFetch\n"
            "             4 test_programs.Everything.onFetch\n"
            "             5 engine.connect                    (parks: connection)\n"
            "             6 engine.send                       (parks: response head)\n"
            "  fetched    7 test_programs.Everything.onFetched\n"
            "             8 engine.receive\n"
            "  deliver    9 test_programs.Everything.onDeliver\n"
            "            10 engine.sendHead                   (parks: body relay)\n"
            "  finish    11 engine.release\n"
            "            12 test_programs.Everything.onFinish\n"
            "            13 test_programs.Log.record\n"
            "            14 engine.end                        (next request)",
        )
        for program in (tunnel, itself):
            names = self.names(program)
            self.assertEqual(
                names[-4:],
                [
                    "engine.release",
                    "test_programs.Everything.onFinish",
                    "test_programs.Log.record",
                    "engine.end",
                ],
            )
            self.assertIn("test_programs.Everything.onRequest", names)

    def test_componentsSeeAnonymousRequestsToo(self) -> None:
        """What failed before there was a program is delivered and logged like any."""
        refusal = self.forward([Everything()], Log()).front.refusal
        self.assertEqual(
            self.names(refusal),
            [
                "test_programs.Everything.onDeliver",
                "engine.sendHead",
                "engine.release",
                "test_programs.Everything.onFinish",
                "test_programs.Log.record",
                "engine.end",
            ],
        )
        self.assertEqual((refusal.deliver, refusal.finish), (0, 2))

    def test_theGuardIsOnByDefault(self) -> None:
        """And off only for who says so."""
        for settings, kind in (({}, DestinationGuard), ({"guarded": False}, type(None))):
            exchange = asked(b"GET http://a.example/ HTTP/1.1", b"Host: a.example")
            self.forward(**settings).front.route(exchange)
            assert exchange.origin is not None
            self.assertIsInstance(exchange.origin.guard, kind)

    def test_allRequestsOfAFrontShareItsGuard(self) -> None:
        """Or else no connection would be used again."""
        front = self.forward()
        origins = []
        for _ in range(2):
            exchange = asked(b"GET http://a.example/ HTTP/1.1", b"Host: a.example")
            front.front.route(exchange)
            origins.append(exchange.origin)
        self.assertEqual(origins[0], origins[1])

    def test_exceptionsToTheGuardCount(self) -> None:
        """As they are written."""
        exchange = asked(b"GET http://intranet.example/ HTTP/1.1", b"Host: a")
        self.forward(allowDestinations=("10.1.0.0/16",)).front.route(exchange)
        assert exchange.origin is not None
        guard = exchange.origin.guard
        self.assertIsNone(guard.prohibits("intranet.example", "10.1.2.3"))
        self.assertIsNotNone(guard.prohibits("intranet.example", "10.2.2.3"))

    def test_aMisspeltExceptionIsRefused(self) -> None:
        """When the front is made."""
        self.assertRaises(ValueError, self.forward, allowDestinations=("10.0.0.0/99",))

    def test_thePortsOfConnectCount(self) -> None:
        """Those in the list may go anywhere that the guard allows."""
        front = self.forward(guarded=False, connectPorts=(8443,))
        for port, free in ((8443, True), (443, False)):
            exchange = asked(b"CONNECT a.example:%d HTTP/1.1" % port, b"Host: a")
            front.front.route(exchange)
            assert exchange.origin is not None
            self.assertEqual(exchange.origin.guard is None, free)


class PurgeTests(ProgramsTestCase):
    """Where purges are refused."""

    def test_theStepIsThereForRoutesThatStoreNothing(self) -> None:
        """And only in a process whose cache can be purged; where it is stored, lookup does it."""
        step = "purgerequests.refusePurge"
        routes = (RouteSettings(upstream=WEB), RouteSettings(upstream=API, path="/x", cache=None))
        for purgeFrom, expected in (((), [False, False]), (("127.0.0.1",), [False, True])):
            cache = makeCache(self.reactor, CacheSettings(purgeFrom=purgeFrom))
            front = self.reverse(*routes, cache=cache)
            self.assertEqual([step in self.names(each) for each in front.programs], expected)
            fetch, tunnel, itself = self.forward(cache=cache).programs
            for program in (fetch, tunnel, itself):
                self.assertNotIn(step, self.names(program))
        self.assertFalse(any(step in self.names(each) for each in self.reverse().programs))


class ReverseTests(ProgramsTestCase):
    """Programs of a reverse front."""

    def test_oneProgramForEachRoute(self) -> None:
        """Named by what it serves."""
        front = self.reverse(
            RouteSettings(upstream=API, host=("a.example", "*.a.example"), path="/api/"),
            RouteSettings(upstream=WEB),
        )
        self.assertEqual(
            [program.name for program in front.programs],
            [
                "reverse.site a.example *.a.example /api/ -> api",
                "reverse.site any host / -> web",
            ],
        )

    def test_withComponents(self) -> None:
        """Their hooks see the head as it will be sent, but for what comes later."""
        [program] = self.reverse(components=[Everything(), Something()], accessLog=Log()).programs
        self.assertEqual(
            program.listing(),
            "  request    0 hops.Hops.onRequest\n"
            "             1 test_programs.Everything.onRequest\n"
            "             2 test_programs.Something.onRequest\n"
            "  fetch      3 engine.derive                     (hop-by-hop, Via)\n"
            "             4 hops.Hops.onFetch\n"
            "             5 balancing.Upstream.onFetch\n"
            "             6 disclosure.Disclosure.onFetch\n"
            "             7 balancing.HostField.onFetch\n"
            "             8 test_programs.Everything.onFetch\n"
            "             9 engine.connect                    (parks: connection)\n"
            "            10 engine.send                       (parks: response head)\n"
            "  fetched   11 test_programs.Everything.onFetched\n"
            "            12 engine.receive\n"
            "            13 redirects.Redirects.hide\n"
            "  deliver   14 test_programs.Everything.onDeliver\n"
            "            15 engine.sendHead                   (parks: body relay)\n"
            "  finish    16 engine.release\n"
            "            17 test_programs.Everything.onFinish\n"
            "            18 test_programs.Something.onFinish\n"
            "            19 test_programs.Log.record\n"
            "            20 engine.end                        (next request)",
        )

    def test_aRequestGetsTheProgramOfItsRoute(self) -> None:
        """By host and path."""
        front = self.reverse(
            RouteSettings(upstream=WEB),
            RouteSettings(upstream=API, host=("a.example",), path="/api/"),
        )
        exchange = asked(b"GET /api/x HTTP/1.1", b"Host: a.example")
        self.assertIs(front.front.route(exchange), front.programs[1])

    def test_eachKindOfFrontAllowsItsOwnMethods(self) -> None:
        """What it would answer with 405 is not among them (RFC 9110 §10.2.1)."""
        for front, proxies in ((self.forward(), True), (self.reverse(), False)):
            exchange = asked(
                b"OPTIONS http://a.example/ HTTP/1.1", b"Host: a.example", b"Max-Forwards: 0"
            )
            reply = front.front.route(exchange).steps[0](exchange)
            methods = reply.fields.get(b"allow").split(b", ")
            self.assertIn(b"OPTIONS", methods)
            self.assertEqual(b"CONNECT" in methods, proxies)
            self.assertEqual(b"TRACE" in methods, proxies)

    def test_routesToOneUpstreamTakeTurnsTogether(self) -> None:
        """Over all fronts that are given the same upstreams."""
        upstreams = Upstreams(OriginPolicies(Clock().seconds))
        one = self.reverse(
            RouteSettings(upstream=WEB), RouteSettings(upstream=WEB, path="/x"), upstreams=upstreams
        )
        two = self.reverse(RouteSettings(upstream=WEB), upstreams=upstreams)
        three = self.reverse(RouteSettings(upstream=WEB))
        ports = []
        for program in (*one.programs, *two.programs, *three.programs):
            exchange = asked(b"GET / HTTP/1.1", b"Host: a")
            step = next(
                step
                for index, step in enumerate(program.steps)
                if program.nameOf(index) == "balancing.Upstream.onFetch"
            )
            step(exchange)
            assert exchange.origin is not None
            ports.append(exchange.origin.port)
        self.assertEqual(ports, [9000, 9001, 9000, 9000])

    def test_whatIsMisspeltIsRefused(self) -> None:
        """When the front is made: servers, networks, hosts and paths."""
        bad = UpstreamSettings(name="bad", servers=("ftp://a.example",))
        none = UpstreamSettings(name="none", servers=())
        for wrong in (
            {"routes": (RouteSettings(upstream=bad),)},
            {"routes": (RouteSettings(upstream=none),)},
            {"routes": (RouteSettings(upstream=WEB, path="x"),)},
            {"routes": (RouteSettings(upstream=WEB, host=("a b",)),)},
            {"routes": (), "trustedProxies": ("proxy.example",)},
        ):
            settings = ReverseSettings(name="site", **wrong)
            self.assertRaises(ValueError, ReverseProxyFactory, self.reactor, settings)


class CachingTests(ProgramsTestCase):
    """Programs with the steps of the cache."""

    def listing(self, cache: RouteCacheSettings | None) -> str:
        """What a route's program is with them."""
        route = RouteSettings(upstream=WEB, cache=cache)
        front = self.reverse(route, cache=makeCache(self.reactor), components=[Everything()])
        listing: str = front.programs[0].listing()
        return listing

    def test_theirPlaces(self) -> None:
        """Looked up last before the fetch, conditioned after it is derived, admitted last."""
        self.assertEqual(
            self.listing(RouteCacheSettings()),
            "  request    0 hops.Hops.onRequest\n"
            "             1 test_programs.Everything.onRequest\n"
            "  lookup     2 lookup.Lookup.onLookup            (hit -> deliver; may park)\n"
            "  fetch      3 engine.derive                     (hop-by-hop, Via)\n"
            "             4 spelling.Spelling.normalise\n"
            "             5 hops.Hops.onFetch\n"
            "             6 balancing.Upstream.onFetch\n"
            "             7 disclosure.Disclosure.onFetch\n"
            "             8 balancing.HostField.onFetch\n"
            "             9 validation.Validation.condition\n"
            "            10 test_programs.Everything.onFetch\n"
            "            11 engine.connect                    (parks: connection)\n"
            "            12 engine.send                       (parks: response head)\n"
            "  fetched   13 test_programs.Everything.onFetched\n"
            "            14 engine.receive\n"
            "            15 redirects.Redirects.hide\n"
            "            16 arrival.Arrival.admit\n"
            "  deliver   17 delivery.Delivery.annotate\n"
            "            18 test_programs.Everything.onDeliver\n"
            "            19 engine.sendHead                   (parks: body relay)\n"
            "  finish    20 engine.release\n"
            "            21 cache.RouteCache.settle\n"
            "            22 test_programs.Everything.onFinish\n"
            "            23 engine.end                        (next request)",
        )

    def test_whatPasses(self) -> None:
        """It has one step of the cache after its look-up, and hooks as others."""
        engine = self.reverse().engine
        sections = Sections(engine, Hooks([Everything()]), None, makeCache(self.reactor))
        sections.fetching("x", (), (), (), RouteCacheSettings())
        (route,) = sections.caches
        assert route.passing.program is not None
        self.assertEqual(
            route.passing.program.listing(),
            "  fetch      0 engine.derive                     (hop-by-hop, Via)\n"
            "             1 test_programs.Everything.onFetch\n"
            "             2 engine.connect                    (parks: connection)\n"
            "             3 engine.send                       (parks: response head)\n"
            "  fetched    4 test_programs.Everything.onFetched\n"
            "             5 engine.receive\n"
            "  deliver    6 passing.Passing.take\n"
            "             7 test_programs.Everything.onDeliver\n"
            "             8 engine.sendHead                   (parks: body relay)\n"
            "  finish     9 engine.release\n"
            "            10 test_programs.Everything.onFinish\n"
            "            11 engine.end                        (next request)",
        )

    def test_whatIsAskedForHasStepsOfItsOwn(self) -> None:
        """And is not in the programs of others."""
        plain = self.listing(RouteCacheSettings())
        for settings, section, step in (
            (
                RouteCacheSettings(bypass=(BypassSettings(path="/a"),)),
                "lookup     2 ",
                "bypass.Bypass.onLookup            (not cached -> fetch)",
            ),
            (
                RouteCacheSettings(minUses=2),
                "             3 ",
                "uses.Uses.count                   (too early -> not stored)",
            ),
            (
                RouteCacheSettings(rangeMiss="whole"),
                "16 arrival.Arrival.admit\n            17 ",
                "rangemiss.RangeMiss.fetchWhole",
            ),
        ):
            self.assertNotIn(step, plain)
            self.assertIn(section + step, self.listing(settings))

    def test_lifetimesOfWhatIsNeverStored(self) -> None:
        """An application hears of them, too."""
        with self.assertRaisesRegex(ValueError, "no response of this status is stored: '304'"):
            self.listing(RouteCacheSettings(lifetimes=(("304", 1.0),)))

    def test_theStepsOfCacheStatus(self) -> None:
        """Only where they are asked for, behind the one that writes it."""
        for setting, step in (("key", "showKey"), ("off", "hide")):
            listing = self.listing(RouteCacheSettings(cacheStatus=setting))  # type: ignore[arg-type]
            self.assertIn(
                "delivery.Delivery.annotate\n"
                f"            18 cachefield.CacheField.{step}\n"
                "            19 test_programs.Everything.onDeliver\n",
                listing,
            )
        self.assertNotIn("cachefield", self.listing(RouteCacheSettings()))

    def test_aRouteThatIsNotCachedHasNone(self) -> None:
        """C{cache = false}: it costs nothing."""
        self.assertNotIn("cache.", self.listing(None))

    def test_withoutACacheThereAreNone(self) -> None:
        """Though routes would be cached."""
        for front in (self.forward(), self.reverse()):
            for program in front.programs:
                self.assertNotIn("cache.", program.listing())

    def test_ofAForwardFrontOnlyWhatIsFetched(self) -> None:
        """Neither tunnels nor what is answered here."""
        front = self.forward(cache=makeCache(self.reactor))
        self.assertEqual(
            ["cache." in program.listing() for program in front.programs], [True, False, False]
        )


class CertificateTests(ProgramsTestCase):
    """Certificates of clients."""

    RULE = ClientRuleSettings(subject=("CN=alice,*",))

    def test_whoIsLetInIsAskedFirst(self) -> None:
        """Before hooks, and what the cache has; in each program of a forward front."""
        route = RouteSettings(upstream=WEB, clientCertificate=self.RULE)
        cache = makeCache(self.reactor)
        fronts = (
            self.reverse(route, components=[Everything()], cache=cache),
            self.forward([Everything()], cache=cache, clientCertificate=self.RULE),
        )
        for front in fronts:
            for program in front.programs:
                self.assertEqual(
                    self.names(program)[:3],
                    [
                        "hops.Hops.onRequest",
                        "clientrules.ClientRule.onRequest",
                        "test_programs.Everything.onRequest",
                    ],
                )

    def test_whatServersHear(self) -> None:
        """The last step before the connection; none where they are not told."""
        told = "clientheaders.ClientHeaders"
        quiet = RouteSettings(upstream=WEB, path="/static", clientHeaders=False)
        front = self.asking(RouteSettings(upstream=WEB), quiet)
        first, second = map(self.names, front.programs)
        self.assertEqual(
            first.index(f"{told}.onFetch"), first.index("balancing.HostField.onFetch") + 1
        )
        self.assertEqual(first.index(f"{told}.onLookup") + 1, first.index("lookup.Lookup.onLookup"))
        self.assertEqual([each for each in second if told in each], [])
        uncached = self.asking(RouteSettings(upstream=WEB, cache=None))
        (names,) = map(self.names, uncached.programs)
        self.assertIn(f"{told}.onFetch", names)
        self.assertNotIn(f"{told}.onLookup", names)

    def test_whatClientsCannotSay(self) -> None:
        """At each reverse front, also what others of the process tell."""
        standard = {b"client-cert", b"client-cert-chain"}
        self.assertEqual(self.reverse().front.withheld, standard)
        self.assertEqual(self.forward().front.withheld, frozenset())
        front = self.asking(reservedFields=("X-Client_Subject",))
        self.assertEqual(front.front.withheld, standard | {b"x-client-subject"})

    def test_misspelt(self) -> None:
        """As all that is."""
        rule = ClientRuleSettings(subject=("alice",))
        route = RouteSettings(upstream=WEB, clientCertificate=rule)
        self.assertRaises(ValueError, self.reverse, route)
        self.assertRaises(ValueError, self.forward, clientCertificate=rule)


class NotesTests(ProgramsTestCase):
    """Remarks of the listing."""

    def test_everyRemarkIsOnAStep(self) -> None:
        """None is left of a step that was renamed."""
        names: set[str] = set()
        everything = RouteSettings(
            upstream=WEB, cache=RouteCacheSettings(bypass=(BypassSettings(path="/a"),), minUses=2)
        )
        path = Path(self.mktemp())
        path.write_bytes(authority().both)
        for front in (
            self.forward(intercept=InterceptSettings(ca=str(path))),
            self.reverse(),
            self.reverse(everything, cache=makeCache(self.reactor)),
            self.asking(everything),
        ):
            for program in front.programs:
                names.update(self.names(program))
        self.assertEqual(set(NOTES) - names, set())
