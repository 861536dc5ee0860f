# -*- test-case-name: tests.net.test_resolver -*-
# mypy: disallow-untyped-calls=False
"""
Tests for L{intermediary.net.resolver}: what is asked, remembered and given up.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from intermediary.errors import DNSError, DNSTimeout
from intermediary.interfaces import IResolver
from intermediary.net.resolver import Resolver, StaticResolver, nameProblem

if TYPE_CHECKING:
    from twisted.internet.interfaces import IResolutionReceiver

V4 = (AF_INET, "192.0.2.1")
V6 = (AF_INET6, "2001:db8::1")


@implementer(IHostResolution)
class Question:
    """One look-up that the reactor's resolver was asked for."""

    def __init__(self, receiver: IResolutionReceiver, name: str) -> None:
        self.receiver = receiver
        self.name = name

    def cancel(self) -> None:
        raise NotImplementedError("as the resolver that is getaddrinfo does")

    def answer(self, *addresses: str) -> None:
        """Give addresses, or none, and end."""
        for address in addresses:
            kind: Any = IPv6Address if ":" in address else IPv4Address
            self.receiver.addressResolved(kind("TCP", address, 0))
        self.receiver.resolutionComplete()


@implementer(IHostnameResolver)
class Names:
    """A reactor's resolver that answers when it is told to."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        question = Question(resolutionReceiver, hostName)
        self.questions.append(question)
        resolutionReceiver.resolutionBegan(question)
        return question


class ResolverTests(SynchronousTestCase):
    """Tests for L{Resolver}."""

    def setUp(self) -> None:
        self.names = Names()
        self.reactor = MemoryReactorClock()
        self.reactor.installNameResolver(self.names)
        self.resolver = Resolver(self.reactor, names=3, lookups=4)

    def asked(self) -> list[str]:
        """Which names the reactor's resolver was asked for."""
        return [question.name for question in self.names.questions]

    def learn(self, name: str, *addresses: str) -> None:
        """Look a name up, with that answer."""
        d = self.resolver.resolve(name, 80)
        self.names.questions[-1].answer(*addresses)
        d.addErrback(lambda reason: reason.trap(DNSError))
        self.assertTrue(d.called)

    def test_isAResolver(self) -> None:
        """It provides L{IResolver}."""
        verifyObject(IResolver, self.resolver)
        verifyObject(IResolver, StaticResolver({}))

    def test_bothFamiliesInTheGivenOrder(self) -> None:
        """The system's order of preference (RFC 6724) stays."""
        d = self.resolver.resolve("example.org", 80)
        self.assertNoResult(d)
        self.names.questions[0].answer("2001:db8::1", "192.0.2.1")
        self.assertEqual(self.successResultOf(d), [V6, V4])

    def test_nothingIsScheduledAfterwards(self) -> None:
        """The deadline goes with the answer."""
        self.learn("example.org", "192.0.2.1")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nameWithoutAddressIsAnError(self) -> None:
        """C{getaddrinfo} knows no other failure: RFC 9209 §2.3.2, C{dns_error}."""
        d = self.resolver.resolve("nowhere.example", 80)
        self.names.questions[0].answer()
        error = self.failureResultOf(d, DNSError).value
        self.assertIn("nowhere.example", error.detail)

    def test_answerIsRememberedForHalfAMinute(self) -> None:
        """Within 30 seconds the same name costs no look-up, on any port."""
        self.learn("example.org", "192.0.2.1")
        self.reactor.advance(29.9)
        self.assertEqual(self.successResultOf(self.resolver.resolve("example.org", 8080)), [V4])
        self.reactor.advance(0.2)
        self.assertNoResult(self.resolver.resolve("example.org", 80))
        self.assertEqual(self.asked(), ["example.org"] * 2)

    def test_failureIsRememberedForFiveSeconds(self) -> None:
        """A name that is retried in a loop costs a look-up every five seconds."""
        self.learn("nowhere.example")
        self.reactor.advance(4.9)
        self.failureResultOf(self.resolver.resolve("nowhere.example", 80), DNSError)
        self.reactor.advance(0.2)
        self.assertNoResult(self.resolver.resolve("nowhere.example", 80))

    def test_eachAskerGetsItsOwnAnswer(self) -> None:
        """A caller that changes its list, or raises its error, changes no other's."""
        self.learn("example.org", "192.0.2.1")
        self.successResultOf(self.resolver.resolve("example.org", 80)).clear()
        self.assertEqual(self.successResultOf(self.resolver.resolve("example.org", 80)), [V4])
        self.learn("nowhere.example")
        first, second = (
            self.failureResultOf(self.resolver.resolve("nowhere.example", 80)).value
            for _ in range(2)
        )
        self.assertIsNot(first, second)

    def test_memoryIsBounded(self) -> None:
        """The name that was not used for longest is forgotten."""
        for name in ["a.example", "b.example", "c.example"]:
            self.learn(name, "192.0.2.1")
        self.successResultOf(self.resolver.resolve("a.example", 80))
        self.learn("d.example", "192.0.2.1")
        self.successResultOf(self.resolver.resolve("a.example", 80))
        self.assertNoResult(self.resolver.resolve("b.example", 80))
        self.assertEqual(repr(self.resolver), "<Resolver 3 names known, 1 looked up>")

    def test_memoryCanBeTurnedOff(self) -> None:
        """Zero seconds are none."""
        self.resolver = Resolver(self.reactor, positiveSeconds=0, negativeSeconds=0)
        self.learn("example.org", "192.0.2.1")
        self.learn("example.org")
        self.assertEqual(repr(self.resolver), "<Resolver 0 names known, 0 looked up>")

    def test_memoryCanBeEmptied(self) -> None:
        """L{Resolver.forget} makes the next one ask again."""
        self.learn("example.org", "192.0.2.1")
        self.resolver.forget()
        self.assertNoResult(self.resolver.resolve("example.org", 80))

    def test_sameNameIsLookedUpOnce(self) -> None:
        """All who ask while a look-up is under way wait for it."""
        waiting = [self.resolver.resolve("example.org", port) for port in (80, 443, 80)]
        self.assertEqual(self.asked(), ["example.org"])
        self.names.questions[0].answer("192.0.2.1")
        for d in waiting:
            self.assertEqual(self.successResultOf(d), [V4])

    def test_cancellingLeavesTheOthersAlone(self) -> None:
        """One who gives up does not take the answer from the rest."""
        one = self.resolver.resolve("example.org", 80)
        other = self.resolver.resolve("example.org", 80)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.names.questions[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(other), [V4])

    def test_answerNobodyWaitsForIsRemembered(self) -> None:
        """A thread can't be stopped, so its work is not thrown away."""
        d = self.resolver.resolve("example.org", 80)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.names.questions[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(self.resolver.resolve("example.org", 80)), [V4])

    def test_silenceIsATimeout(self) -> None:
        """After ten seconds the look-up is given up (C{dns_timeout})."""
        d = self.resolver.resolve("example.org", 80)
        self.reactor.advance(9.9)
        self.assertNoResult(d)
        self.reactor.advance(0.2)
        self.failureResultOf(d, DNSTimeout)
        self.failureResultOf(self.resolver.resolve("example.org", 80), DNSTimeout)
        self.assertEqual(self.asked(), ["example.org"])

    def test_lateAnswerIsRemembered(self) -> None:
        """It comes too late for one, and in time for the next."""
        self.failureResultOf(self.timedOut("example.org"), DNSTimeout)
        self.names.questions[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(self.resolver.resolve("example.org", 80)), [V4])

    def test_lateAnswerLeavesTheNextLookupAlone(self) -> None:
        """Of two look-ups for one name, each answers those who waited for it."""
        self.failureResultOf(self.timedOut("example.org"), DNSTimeout)
        self.reactor.advance(6)
        again = self.resolver.resolve("example.org", 80)
        self.names.questions[0].answer("192.0.2.1")
        self.assertNoResult(again)
        self.names.questions[1].answer("2001:db8::1")
        self.assertEqual(self.successResultOf(again), [V6])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_lateFailureIsForgotten(self) -> None:
        """It says nothing that the timeout did not."""
        self.failureResultOf(self.timedOut("example.org"), DNSTimeout)
        self.reactor.advance(6)
        again = self.resolver.resolve("example.org", 80)
        self.names.questions[1].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(again), [V4])
        self.names.questions[0].answer()
        self.assertEqual(self.successResultOf(self.resolver.resolve("example.org", 80)), [V4])

    def timedOut(self, name: str) -> Any:
        """Look a name up, in vain."""
        d = self.resolver.resolve(name, 80)
        self.reactor.advance(10)
        return d

    def test_lookupsAreBounded(self) -> None:
        """One client with many names can't fill the threads' queue."""
        waiting = [self.resolver.resolve(f"{letter}.example", 80) for letter in "abcd"]
        self.failureResultOf(self.resolver.resolve("e.example", 80), DNSError)
        # Those who wait for a name that is looked up anyway are welcome.
        joined = self.resolver.resolve("a.example", 80)
        self.names.questions[0].answer("192.0.2.1")
        self.assertEqual(self.successResultOf(joined), [V4])
        self.assertNoResult(self.resolver.resolve("e.example", 80))
        self.successResultOf(waiting[0])

    def test_otherSpellingsOfAddressesAreNotLookedUp(self) -> None:
        """C{getaddrinfo} would take them for IPv4 addresses: RFC 3986 §7.4."""
        for host in ["2130706433", "0x7f000001", "0x7F.1", "127.1", "0177.0.0.1", "1.2.3.4."]:
            self.failureResultOf(self.resolver.resolve(host, 80), DNSError)
        self.assertEqual(self.asked(), [])

    def test_whatIsNoNameIsNotLookedUp(self) -> None:
        """C{getaddrinfo} would raise in its thread, or look up something else."""
        for host in [
            "",
            ".",
            "a..b",
            ".a",
            "a" * 64,
            "a." * 128,
            "a b",
            "ä.example",
            "a\0b",
            "a\n",
        ]:
            self.failureResultOf(self.resolver.resolve(host, 80), DNSError)
        self.assertEqual(self.asked(), [])

    def test_namesAreTakenAsTheyAre(self) -> None:
        """Underscores, hyphens, a final dot, digits in front, IDNA."""
        for host in ["localhost", "_dmarc.a-b.example.", "1.example", "xn--bcher-kva.example"]:
            self.assertIsNone(nameProblem(host), host)
        self.assertIsNone(nameProblem("a" * 63 + "." + "b" * 63))

    def test_answerAtOnceIsDeliveredAtOnce(self) -> None:
        """A resolver in memory needs no turn of the reactor, nor a deadline."""
        resolver = Resolver(MemoryReactorClock())
        d = resolver.resolve("example.org", 80)
        self.assertTrue(d.called)
        self.successResultOf(d)
        self.assertEqual(repr(resolver), "<Resolver 1 names known, 0 looked up>")


class StaticResolverTests(SynchronousTestCase):
    """Tests for L{StaticResolver}."""

    def test_knownNameIsAnsweredAtOnce(self) -> None:
        """In the given order, without regard to case."""
        resolver = StaticResolver({"example.org": ["2001:db8::1", "192.0.2.1"]})
        for host in ["example.org", "EXAMPLE.org"]:
            self.assertEqual(self.successResultOf(resolver.resolve(host, 80)), [V6, V4])

    def test_otherNamesAreErrors(self) -> None:
        """Nothing is looked up anywhere."""
        resolver = StaticResolver({"empty.example": []})
        for host in ["example.org", "empty.example"]:
            self.failureResultOf(resolver.resolve(host, 80), DNSError)
