# -*- test-case-name: tests.net.test_reactor -*-
# mypy: disallow-untyped-calls=False
"""
The lean reactor: that nobody can tell it from the stock one.

Twisted's own tests of reactors run against it here, those that have to do with
descriptors, connections, time and threads; what the lean one does in its own
way has tests of its own, which run against both.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from twisted.application.reactors import IReactorInstaller, getReactorTypes
from twisted.internet import error
from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorFDSet
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.test import reactormixins, test_core, test_fdset, test_time
from twisted.logger import globalLogPublisher
from twisted.python import log
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

try:
    # These two need PyHamcrest.
    from twisted.internet.test import test_tcp, test_tls
except ImportError:
    test_tcp = test_tls = None  # type: ignore[assignment]

LEAN = "intermediary.net.reactor.LeanReactor"
STOCK = "twisted.internet.epollreactor.EPollReactor"


def runAgainst(builder: Any, *reactors: str, **overrides: Any) -> dict[str, Any]:
    """
    Make test cases of a reactor builder of Twisted's for other reactors.

    @param overrides: attributes to replace, for instance tests.
    """
    made: Any = type(builder.__name__, (builder,), {"_reactors": reactors, **overrides})
    made.__module__ = __name__
    return dict(made.makeTestCaseClasses())


def test_lostFileDescriptor(self: Any) -> None:
    """Not for reactors on epoll, which forgets a closed descriptor by itself."""
    raise SkipTest("epoll can't detect lost file descriptors")


globals().update(
    runAgainst(
        test_fdset.ReactorFDSetTestsBuilder, LEAN, test_lostFileDescriptor=test_lostFileDescriptor
    )
)
del test_lostFileDescriptor
globals().update(runAgainst(test_core.SystemEventTestsBuilder, LEAN))
globals().update(runAgainst(test_time.TimeTestsBuilder, LEAN))
if test_tcp is not None:
    for _builder in (
        test_tcp.TCP4ClientTestsBuilder,
        test_tcp.TCP4ConnectorTestsBuilder,
        test_tcp.TCP6ClientTestsBuilder,
        test_tcp.TCPPortTestsBuilder,
        test_tcp.TCPConnectionTestsBuilder,
        test_tcp.TCPTransportTestsBuilder,
        test_tcp.AbortConnectionTests,
        test_tls.StartTLSClientTestsMixin,
        test_tls.AbortSSLConnectionTests,
    ):
        globals().update(runAgainst(_builder, LEAN))
    del _builder


class CompletenessTests(SynchronousTestCase):
    """Which of Twisted's tests run."""

    def test_twistedsTestsOfConnectionsRun(self) -> None:
        """They need PyHamcrest, which is in the test extra."""
        if test_tcp is None:
            raise SkipTest("without PyHamcrest, Twisted's tests of connections are left out")
        self.assertIn("TCPConnectionTestsBuilder_LeanReactorTests", globals())


class Hearing(Protocol):
    """A protocol that fails on demand and notes how it ended."""

    def __init__(self, case: BehaviourTestsBuilder) -> None:
        self.case = case

    def logPrefix(self) -> str:
        """Name this protocol in the log."""
        return "Hearing"

    def dataReceived(self, data: bytes) -> None:
        """Do what the test says."""
        self.case.onData(self, data)

    def connectionLost(self, reason: Any = None) -> None:
        """Note why, and stop."""
        self.case.reasons.append(reason.type)
        self.case.onLost(self)


@implementer(IHalfCloseableProtocol)
class HalfHearing(Hearing):
    """One that goes on after the peer's last octet."""

    def readConnectionLost(self) -> None:
        """Answer, and end."""
        self.case.reasons.append("read lost")
        assert self.transport is not None
        self.transport.write(b"goodbye")
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Is of no interest."""


if TYPE_CHECKING:
    from collections.abc import Callable

    class Builder(reactormixins.ReactorBuilder, SynchronousTestCase):
        """What the classes made from a builder are."""

else:
    Builder = reactormixins.ReactorBuilder


class BehaviourTestsBuilder(Builder):
    """What a protocol and an observer of the log see."""

    requiredInterfaces = (IReactorFDSet,)

    def setUp(self) -> None:
        """Collect what is logged and said."""
        super().setUp()
        self.reasons: list[Any] = []
        self.events: list[dict[str, Any]] = []
        #: What the server side does with data, and at its end.
        self.onData: Callable[[Hearing, bytes], Any] = lambda protocol, data: None
        self.onLost: Callable[[Hearing], Any] = lambda protocol: self.built.stop()
        note: Any = self.events.append
        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)

    def systems(self, text: str) -> list[Any]:
        """Give the system of each logged line that has this text in it."""
        return [
            event.get("system")
            for event in self.events
            if text in " ".join(str(each) for each in event.get("message", ()))
            or text in str(getattr(event.get("failure"), "value", ""))
        ]

    def serve(self, said: bytes, protocol: type[Hearing] = Hearing) -> socket.socket:
        """
        Connect a socket to a server on a fresh reactor and run it to its end.

        @param said: what the peer says; then it half-closes.
        """
        built = self.built = self.buildReactor()
        factory = Factory.forProtocol(lambda: protocol(self))
        port = built.listenTCP(0, factory, interface="127.0.0.1")
        peer = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(peer.close)
        peer.sendall(said)
        peer.shutdown(socket.SHUT_WR)
        self.runReactor(built, 10)
        return peer

    def test_whatAProtocolLogsNamesIt(self) -> None:
        """A line logged from dataReceived carries the transport's log prefix."""
        self.onData = lambda protocol, data: log.msg("overheard")
        self.serve(b"x")
        [system] = self.systems("overheard")
        self.assertRegex(system, r"^Hearing,0,127\.0\.0\.1$")

    def test_whatIsLoggedOutsideOfEventsNamesNobody(self) -> None:
        """The context of an event ends with it: a timed call logs without one."""

        def onData(protocol: Hearing, data: bytes) -> None:
            self.built.callLater(0, log.msg, "later")

        self.onData = onData
        self.serve(b"x")
        self.assertEqual(["-"], self.systems("later"))

    def test_anInnerLogContextIsAddedToTheOuter(self) -> None:
        """C{log.callWithContext} inside an event keeps the prefix."""
        self.onData = lambda protocol, data: log.callWithContext({"more": 1}, log.msg, "overheard")
        self.serve(b"x")
        [event] = [each for each in self.events if each.get("message") == ("overheard",)]
        self.assertEqual(1, event["more"])
        self.assertEqual("Hearing,0,127.0.0.1", event["system"])

    def test_aProtocolThatRaisesIsLoggedAndDisconnected(self) -> None:
        """An exception is logged under the protocol's prefix and is the reason."""

        def onData(protocol: Hearing, data: bytes) -> None:
            raise ZeroDivisionError("provoked")

        self.onData = onData
        self.serve(b"x")
        self.assertEqual([ZeroDivisionError], self.reasons)
        self.assertEqual(["Hearing,0,127.0.0.1"], self.systems("provoked"))
        self.assertEqual(
            1,
            len(self.flushLoggedErrors(ZeroDivisionError)),
        )

    def test_anEndThatRaisesIsLoggedAndTheReactorGoesOn(self) -> None:
        """An exception of connectionLost is logged under the protocol's prefix."""

        def onLost(protocol: Hearing) -> None:
            self.built.callLater(0, self.built.stop)
            raise ZeroDivisionError("at the end")

        self.onLost = onLost
        self.serve(b"x")
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(1, len(self.systems("at the end")))
        self.assertIn("Hearing", self.systems("at the end")[0])

    def test_thePeersEndIsAnOrderlyEnd(self) -> None:
        """A FIN ends a protocol that can't half-close with ConnectionDone."""
        self.serve(b"x")
        self.assertEqual([error.ConnectionDone], self.reasons)

    def test_halfClose(self) -> None:
        """A protocol that can half-close hears of the FIN and may still write."""
        peer = self.serve(b"x", HalfHearing)
        self.assertEqual(["read lost", error.ConnectionDone], self.reasons)
        self.assertEqual(b"goodbye", peer.recv(100))

    def test_anEventOfARemovedDescriptorIsDropped(self) -> None:
        """A descriptor that another one's event removes is not called any more."""
        built = self.buildReactor()
        called = []
        descriptors: list[Any] = []
        for _ in range(2):
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            theirs.send(b"x")
            descriptor: Any = FileDescriptor(built)

            def doRead(descriptor: Any = descriptor) -> None:
                called.append(descriptor)
                for each in descriptors:
                    each.stopReading()
                built.callLater(0, built.stop)

            descriptor.fileno = ours.fileno
            descriptor.doRead = doRead
            descriptors.append(descriptor)
            descriptor.startReading()
        self.runReactor(built, 10)
        self.assertEqual(1, len(called))

    def test_aPrefixThatRaisesIsNamed(self) -> None:
        """A broken logPrefix keeps no line from the log."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        theirs.send(b"x")
        built = self.buildReactor()
        descriptor: Any = FileDescriptor(built)

        def doRead() -> None:
            log.msg("still")
            descriptor.stopReading()
            built.stop()

        descriptor.fileno = ours.fileno
        descriptor.doRead = doRead
        descriptor.logPrefix = lambda: 1 / 0
        descriptor.startReading()
        self.runReactor(built, 10)
        self.assertEqual(["(buggy logPrefix method)"], self.systems("still"))
        # The stock reactor says so at each event; the lean one only asks when
        # there is something to log.
        self.flushLoggedErrors(ZeroDivisionError)

    def test_filesAreReadAndWrittenBesidesSockets(self) -> None:
        """What epoll refuses is polled until it is removed, and changes nothing for others."""
        built = self.buildReactor()
        called: list[str] = []
        with open(self.mktemp(), "w+b") as file:
            one: Any = FileDescriptor(built)
            one.fileno = file.fileno
            two: Any = FileDescriptor(built)
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            self.addCleanup(theirs.close)
            two.fileno = ours.fileno

            def doRead() -> None:
                called.append("file read")
                one.stopReading()
                one.startWriting()

            def doWrite() -> None:
                called.append("file written")
                one.stopWriting()
                two.startReading()
                two.startWriting()

            def doWriteSocket() -> None:
                called.append("socket written")
                two.stopWriting()
                theirs.send(b"x")

            def doReadSocket() -> None:
                called.append("socket read")
                two.stopReading()
                built.callLater(0.01, built.stop)

            one.doRead, one.doWrite = doRead, doWrite
            two.doRead, two.doWrite = doReadSocket, doWriteSocket
            one.startReading()
            self.runReactor(built, 10)
        self.assertEqual(["file read", "file written", "socket written", "socket read"], called)

    def test_theMainLoopGoesOnAfterAnError(self) -> None:
        """What even an event's handling lets through is logged, and all goes on."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        theirs.send(b"x")
        built = self.buildReactor()
        descriptor: Any = FileDescriptor(built)

        def doRead() -> None:
            descriptor.stopReading()
            built.callLater(0, built.callLater, 0, built.stop)
            raise KeyboardInterrupt

        descriptor.fileno = ours.fileno
        descriptor.doRead = doRead
        descriptor.startReading()
        self.runReactor(built, 10)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyboardInterrupt)))

    def test_aTurnInsideAnEventKeepsTheEventsContext(self) -> None:
        """Who runs C{iterate} from inside an event logs under its own name afterwards."""

        def onData(protocol: Hearing, data: bytes) -> None:
            peer.send(b"x")
            self.built.iterate(0)
            log.msg("afterwards")

        peer, ours = socket.socketpair()
        self.addCleanup(peer.close)
        self.addCleanup(ours.close)
        self.onData = onData
        inner: Any = None

        def doRead() -> None:
            log.msg("inside")
            inner.stopReading()

        built = self.built = self.buildReactor()
        inner = FileDescriptor(built)
        inner.fileno = ours.fileno
        inner.doRead = doRead
        inner.logPrefix = lambda: "inner"
        inner.startReading()
        factory = Factory.forProtocol(lambda: Hearing(self))
        port = built.listenTCP(0, factory, interface="127.0.0.1")
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(client.close)
        client.sendall(b"x")
        client.shutdown(socket.SHUT_WR)
        self.runReactor(built, 10)
        self.assertEqual(["inner"], self.systems("inside"))
        self.assertEqual(["Hearing,0,127.0.0.1"], self.systems("afterwards"))

    def test_aTimedCallIsNeitherLateNorMissed(self) -> None:
        """Calls of threads, cancelled calls and calls of calls come in their time."""
        built = self.buildReactor()
        called: list[str] = []
        for _ in range(200):
            built.callLater(0.001, called.append, "cancelled").cancel()

        def timed() -> None:
            called.append("timed")
            built.callLater(0, later)

        def later() -> None:
            called.append("at once")
            built.callLater(0.001, built.stop)

        built.callLater(0.001, timed)
        built.callFromThread(called.append, "thread")
        self.runReactor(built, 10)
        self.assertEqual(["thread", "timed", "at once"], called)


globals().update(runAgainst(BehaviourTestsBuilder, LEAN, STOCK))


class InstallationTests(SynchronousTestCase):
    """How an application gets the reactor."""

    def test_itIsAReactorOfTwistd(self) -> None:
        """C{twistd --reactor=intermediary} finds it among the plugins."""
        found: Any
        [found] = [each for each in getReactorTypes() if each.shortName == "intermediary"]
        verifyObject(IReactorInstaller, found)
        self.assertEqual("intermediary.net.reactor", found.moduleName)

    def test_theModuleInstallsIt(self) -> None:
        """C{install} refuses, as all reactors do, where one is installed already."""
        from intermediary.net.reactor import install

        # Trial's own is there.
        self.assertRaises(error.ReactorAlreadyInstalledError, install)
