# -*- test-case-name: tests.policy.test_access -*-
# mypy: disallow-untyped-calls=False
"""
Tests for L{intermediary.policy.access}: who may reach what.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.errors import DestinationProhibited, PortNotAllowed
from intermediary.interfaces import IDestinationGuard
from intermediary.policy.access import (
    ConnectPorts,
    DestinationGuard,
    LoopbackOnly,
    isLoopbackOnly,
    needsGuard,
)
from intermediary.policy.addresses import METADATA


class DestinationGuardTests(SynchronousTestCase):
    """Tests for L{DestinationGuard} and its exceptions."""

    def test_isAGuard(self) -> None:
        """It provides L{IDestinationGuard}, and so does L{LoopbackOnly}."""
        verifyObject(IDestinationGuard, DestinationGuard())
        verifyObject(IDestinationGuard, LoopbackOnly("why"))

    def test_publicDestinationPasses(self) -> None:
        """A public address is nobody's business."""
        self.assertIsNone(DestinationGuard().prohibits("example.org", "8.8.8.8"))

    def test_innerDestinationIsNamed(self) -> None:
        """The reason says what the address is."""
        guard = DestinationGuard()
        self.assertEqual(guard.prohibits("example.org", "10.0.0.1"), "private")
        self.assertEqual(guard.prohibits("example.org", "nonsense"), "unknown")

    def test_nameThatLooksHarmlessDoesNotHelp(self) -> None:
        """DNS rebinding: what counts is the address that will be dialled."""
        guard = DestinationGuard(["10.0.0.1"])
        self.assertEqual(guard.prohibits("8.8.8.8", "127.0.0.1"), "loopback")
        self.assertEqual(guard.prohibits("10.0.0.1", "10.0.0.2"), "private")

    def test_networkExemptsItsAddresses(self) -> None:
        """CIDR networks and single addresses of both families."""
        guard = DestinationGuard(["10.1.0.0/16", "192.168.0.7", "fd00::/8", "::1"])
        for address in ["10.1.2.3", "192.168.0.7", "fd12::1", "::1"]:
            self.assertIsNone(guard.prohibits("name.example", address), address)
        for address in ["10.2.0.1", "192.168.0.8", "fc00::1", "127.0.0.1", "nonsense", "::g"]:
            self.assertIsNotNone(guard.prohibits("name.example", address), address)

    def test_networkDoesNotExemptWhatCarriesIt(self) -> None:
        """An exception is for an address in its own form."""
        guard = DestinationGuard(["10.0.0.0/8"])
        self.assertEqual(guard.prohibits("name.example", "::ffff:10.0.0.1"), "private")

    def test_nameExemptsWhereverItLeads(self) -> None:
        """Names match without regard to case and final dot."""
        guard = DestinationGuard(["Build.Example.org", "*.corp.example"])
        for host in [
            "build.example.org",
            "BUILD.example.org.",
            "a.corp.example",
            "a.b.corp.example",
        ]:
            self.assertIsNone(guard.prohibits(host, "10.0.0.1"), host)
        for host in ["example.org", "xbuild.example.org", "corp.example", "acorp.example"]:
            self.assertEqual(guard.prohibits(host, "10.0.0.1"), "private", host)

    def test_internationalNameIsCompared(self) -> None:
        """A configured name is compared in the form that arrives (RFC 5891)."""
        guard = DestinationGuard(["bücher.example"])
        self.assertIsNone(guard.prohibits("xn--bcher-kva.example", "10.0.0.1"))

    def test_metadataMustBeNamedExactly(self) -> None:
        """No network and no pattern opens the credentials of a cloud machine."""
        wide = DestinationGuard(["169.254.0.0/16", "0.0.0.0/0", "*.internal"])
        self.assertEqual(wide.prohibits("metadata.internal", "169.254.169.254"), METADATA)
        self.assertIsNone(wide.prohibits("x.example", "169.254.1.1"))
        for exact in ["169.254.169.254", "169.254.169.254/32", "metadata.internal"]:
            guard = DestinationGuard([exact])
            self.assertIsNone(guard.prohibits("metadata.internal", "169.254.169.254"), exact)

    def test_emptyListOfExceptionsIsFalse(self) -> None:
        """So that a listing can leave it out."""
        self.assertFalse(DestinationGuard().exceptions)
        self.assertTrue(DestinationGuard(["::1"]).exceptions)

    def test_badExceptionIsExplained(self) -> None:
        """The message quotes what was written, and how to write it."""
        for spelled, said in [
            ("", "an empty destination"),
            ("10.1.2.3/8", "write '10.0.0.0/8'"),
            ("fd00::1/8", "write 'fd00::/8'"),
            ("10.0.0.0/33", "'10.0.0.0/33' is neither an address nor a network"),
            ("10.1", "'10.1' is neither"),
            ("[::1]", "without brackets"),
            ("example.org:443", "'example.org:443' is neither"),
            ("http://example.org", "is neither"),
            ("0x7f.1", "'0x7f.1' is not a host name"),
            ("*", "'*' is not a host name"),
            ("a..b", "'a..b' is not a host name"),
            ("a b", "'a b' is not a host name"),
            ("*.*.org", "'*.*.org' is not a host name"),
        ]:
            error = self.assertRaises(ValueError, DestinationGuard, [spelled])
            self.assertIn(said, str(error))


class ConnectPortsTests(SynchronousTestCase):
    """Tests for L{ConnectPorts} (RFC 9110 §9.3.6)."""

    def test_listedPortIsTheGuardsBusiness(self) -> None:
        """Nothing is added to the front's guard, and nothing needed without one."""
        guard = DestinationGuard()
        self.assertIs(ConnectPorts((443, 80), guard).guard(443), guard)
        self.assertIsNone(ConnectPorts((443, 80)).guard(80))

    def test_otherPortIsForLoopback(self) -> None:
        """Any port may be reached on this machine, and nowhere else."""
        guard = ConnectPorts((443,)).guard(25)
        assert guard is not None
        self.assertIsNone(guard.prohibits("localhost", "127.0.0.1"))
        self.assertIsNone(guard.prohibits("localhost", "::1"))
        for address in ["8.8.8.8", "10.0.0.1", "64:ff9b::127.0.0.1", "nonsense"]:
            self.assertIn("ports", guard.prohibits("example.org", address) or "")

    def test_guardHoldsForOtherPorts(self) -> None:
        """A guarded front reaches loopback on no port."""
        guard = ConnectPorts((443,), DestinationGuard()).guard(25)
        assert guard is not None
        self.assertEqual(guard.prohibits("localhost", "127.0.0.1"), "loopback")

    def test_thePortIsToBlame(self) -> None:
        """Not the address, unless the front's guard has something against that."""
        guard = ConnectPorts((443,), DestinationGuard()).guard(25)
        assert isinstance(guard, LoopbackOnly)
        for address, kind in (("8.8.8.8", PortNotAllowed), ("127.0.0.1", DestinationProhibited)):
            why = guard.prohibits("example.org", address)
            self.assertIs(type(guard.refuse(f"{address} is {why}")), kind)

    def test_guardOfPortsIsTheSameEveryTime(self) -> None:
        """Origins are compared by it."""
        ports = ConnectPorts((443,))
        self.assertIs(ports.guard(25), ports.guard(8443))


class ListenerTests(SynchronousTestCase):
    """Tests for L{isLoopbackOnly} and L{needsGuard}."""

    def test_listenersOfThisMachine(self) -> None:
        """TCP on loopback addresses, UNIX sockets, and what wraps these."""
        for endpoint in [
            "tcp:3128:interface=127.0.0.1",
            "tcp:port=3128:interface=127.0.0.2",
            "tcp:3128:127.0.0.1",
            "tcp:3128:interface=localhost",
            r"tcp6:3128:interface=\:\:1",
            r"tcp:3128:interface=\:\:1",
            "ssl:3128:privateKey=a.pem:interface=127.0.0.1",
            "unix:/run/proxy.sock",
            "unix:/run/proxy.sock:mode=660",
            "haproxy:tcp:3128:interface=127.0.0.1",
        ]:
            self.assertTrue(isLoopbackOnly(endpoint), endpoint)

    def test_listenersThatOthersReach(self) -> None:
        """No interface is all of them; what is unknown counts as reachable."""
        for endpoint in [
            "tcp:3128",
            "tcp:3128:backlog=50",
            "tcp:3128:interface=",
            "tcp:3128:interface=0.0.0.0",
            "tcp:3128:interface=192.168.0.1",
            "tcp:3128:interface=proxy.example.org",
            r"tcp6:3128:interface=\:\:",
            "tcp6:3128",
            "systemd:domain=INET:index=0",
            "fd:3",
            "haproxy:tcp:3128",
            "onion:80:interface=127.0.0.1",
            "3128",
            "",
            "tcp:3128:note=interface=127.0.0.1",
            r"tcp:3128:note=x\:interface=127.0.0.1",
        ]:
            self.assertFalse(isLoopbackOnly(endpoint), endpoint)

    def test_oneReachableListenerIsEnough(self) -> None:
        """The guard belongs to the front."""
        here = "tcp:3128:interface=127.0.0.1"
        self.assertFalse(needsGuard([here, "unix:/x"]))
        self.assertTrue(needsGuard([here, "tcp:3129"]))
        self.assertFalse(needsGuard([]))
