# -*- test-case-name: tests.test_interfaces -*-
"""
Every implementation against the interface that it claims.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy
from zope.interface.interfaces import IInterface
from zope.interface.verify import verifyClass, verifyObject

import intermediary
from intermediary import interfaces
from intermediary.engine import Engine
from intermediary.front import Front
from intermediary.interfaces import (
    IAccessLog,
    IBalancer,
    IBodySink,
    ICacheStore,
    IConnector,
    IDestinationGuard,
    IDownstream,
    IFront,
    ILease,
    IOnFetch,
    IOnRequest,
    IPool,
    IResolver,
)
from intermediary.net.bucket import Bucket
from intermediary.net.downstream import DownstreamConnection
from intermediary.net.listener import Listener
from intermediary.net.resolver import Resolver
from intermediary.net.sweep import Sweeper
from intermediary.net.upstream import UpstreamConnection
from intermediary.ops.accesslog import AccessLog
from intermediary.ops.endpoints import ForwardProxyFactory, ReverseProxyFactory, makePool
from intermediary.ops.logformat import compileFormat
from intermediary.policy.access import DestinationGuard, LoopbackOnly
from intermediary.policy.balancing import HostField, Peer, RoundRobin, Upstream
from intermediary.policy.disclosure import Disclosure
from intermediary.policy.diskstore import DiskStore
from intermediary.policy.hops import Hops
from intermediary.policy.stores import MemoryStore
from intermediary.program import Program
from intermediary.settings import (
    ForwardSettings,
    Limits,
    ReverseSettings,
    RouteSettings,
    Timeouts,
    UpstreamSettings,
)

from .net.borrowing import Bank, origin

#: Our own seams.
SEAMS: tuple[Any, ...] = tuple(
    each
    for each in vars(interfaces).values()
    if IInterface.providedBy(each) and each.__module__ == interfaces.__name__
)


def modules() -> list[Any]:
    """Import everything in the package that can be imported without a side effect."""
    return [
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(intermediary.__path__, "intermediary.")
        if each.name.rpartition(".")[2] != "__main__"
    ]


class ClassTests(SynchronousTestCase):
    """Classes, by what they declare."""

    def test_everyImplementerHasWhatItDeclares(self) -> None:
        """Methods with fitting signatures, of our interfaces and of Twisted's."""
        seen = set()
        for module in modules():
            for kind in vars(module).values():
                if not isinstance(kind, type) or kind.__module__ != module.__name__:
                    continue
                for interface in implementedBy(kind):
                    if kind.__module__ == "intermediary.net.reactor":
                        continue  # its base is Twisted's, and so are its declarations
                    verifyClass(interface, kind, tentative=True)
                    seen.add(interface)
        for interface in (IPool, ILease, IDownstream, IConnector, IProtocol, IBalancer):
            self.assertIn(interface, seen)

    def test_hooksAreDeclared(self) -> None:
        """Whoever has the method of a hook says that it provides it."""
        hooks = {
            name: interface
            for interface in SEAMS
            for name in interface.names()
            if interface.__name__.startswith("IOn")
        }
        self.assertEqual(len(hooks), 5)
        for module in modules():
            for kind in vars(module).values():
                if not isinstance(kind, type) or kind.__module__ != module.__name__:
                    continue
                for name, interface in hooks.items():
                    if callable(getattr(kind, name, None)):
                        self.assertTrue(interface.implementedBy(kind), (kind, name))

    def test_seamsAreSmall(self) -> None:
        """A contract that does too much has no second implementation."""
        for interface in SEAMS:
            own = interface.names()
            limit = 16 if interface is IDownstream else 6
            self.assertLessEqual(len(own), limit, interface)

    def test_everySeamIsAContract(self) -> None:
        """Each, and each of its methods, says what it owes."""
        for interface in SEAMS:
            self.assertTrue((interface.__doc__ or "").strip(), interface)
            for name in interface.names():
                self.assertTrue((interface[name].__doc__ or "").strip(), (interface, name))


class ObjectTests(SynchronousTestCase):
    """Objects as they are made in earnest, attributes included."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.upstream = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))

    def test_fronts(self) -> None:
        """They are what a service drives and what a port listens with."""
        pool = makePool(self.reactor)
        forward = ForwardProxyFactory(self.reactor, ForwardSettings(name="egress"), pool=pool)
        reverse = ReverseProxyFactory(
            self.reactor,
            ReverseSettings(name="site", routes=(RouteSettings(upstream=self.upstream),)),
            pool=pool,
        )
        for front in (forward, reverse):
            verifyObject(IFront, front)
            verifyObject(IProtocolFactory, front)

    def test_connections(self) -> None:
        """A client's is where replies go, an origin's where requests go."""
        unasked: Any = None
        engine = Engine(unasked, lambda: 0.0, b"test")
        refusal = Program("refusal", {})
        front = Front("site", Limits(), Timeouts(), engine, unasked, unasked, refusal)
        downstream = DownstreamConnection(Listener(front, Sweeper(self.reactor)))
        bank = Bank()
        upstream = UpstreamConnection(bank.pool, Bucket(origin("a")), Limits())
        verifyObject(IDownstream, downstream)
        verifyObject(ILease, upstream)
        for connection in (downstream, upstream):
            verifyObject(IBodySink, connection)
            verifyObject(IProtocol, connection)

    def test_whatConnects(self) -> None:
        """Pool, connector and resolver."""
        pool = makePool(self.reactor)
        verifyObject(IPool, pool)
        verifyObject(IConnector, pool.connector)
        verifyObject(IResolver, Resolver(self.reactor))

    def test_policies(self) -> None:
        """Guards, balancers and hooks."""
        balancer = RoundRobin([Peer.fromURL("http://127.0.0.1:9000")])
        verifyObject(IDestinationGuard, DestinationGuard())
        verifyObject(IDestinationGuard, LoopbackOnly("reason"))
        verifyObject(IBalancer, balancer)
        verifyObject(IOnFetch, Upstream("web", balancer))
        verifyObject(IOnFetch, HostField(True))
        verifyObject(IOnFetch, Disclosure())
        verifyObject(IOnFetch, Hops(b"test"))
        verifyObject(IOnRequest, Hops(b"test"))

    def test_stores(self) -> None:
        """The one in memory and the one on disk."""
        verifyObject(ICacheStore, MemoryStore(self.reactor, 1 << 20, 1 << 20))
        disk = DiskStore(self.reactor, None, "nowhere", 1, 1, lambda _: b"", lambda _: None)
        verifyObject(ICacheStore, disk)

    def test_theAccessLog(self) -> None:
        """Not open, but there."""
        verifyObject(IAccessLog, AccessLog(self.reactor, compileFormat("combined"), "-"))
