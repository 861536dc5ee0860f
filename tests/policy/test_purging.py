# -*- test-case-name: tests.policy.test_purging -*-
"""
What a purge covers, and how it goes through many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy.purging import HOST, KEY, PREFIX, TAG, UNTIMED, Purge, Slices, urlOf

from .stored import Busy, entryOf

if TYPE_CHECKING:
    from collections.abc import Iterator


class UrlTests(SynchronousTestCase):
    """L{urlOf}."""

    def test_theURLIsFoundInAnyKey(self) -> None:
        """Before and behind what else makes the key."""
        url = b"http://a.example/b?c"
        for key in (url, b"GET " + url, b"front\x00GET\x00" + url, url + b" cookie=http://b/"):
            self.assertEqual(urlOf(key), url, key)

    def test_aURLInsideAURLIsNone(self) -> None:
        """Nothing sets it off."""
        self.assertEqual(urlOf(b"GET http://a/?x=http://b/"), b"http://a/?x=http://b/")

    def test_aKeyWithoutOneIsTakenAsItIs(self) -> None:
        """Whoever makes such keys purges by them."""
        self.assertEqual(urlOf(b"something"), b"something")


class PurgeTests(SynchronousTestCase):
    """L{Purge}."""

    def test_kinds(self) -> None:
        """Each with its value."""
        for purge, kind, value in (
            (Purge.ofKey(b"k"), KEY, b"k"),
            (Purge.ofPrefix(b"http://a/"), PREFIX, b"http://a/"),
            (Purge.ofHost(b"A.example"), HOST, b"a.example"),
            (Purge.ofTag(b"T"), TAG, b"T"),
        ):
            self.assertEqual((purge.kind, purge.value), (kind, value))
        self.assertEqual(repr(Purge.ofTag(b"T")), "<Purge tag b'T'>")
        self.assertEqual(repr(Purge.ofHost(b"a").within(b"x")), "<Purge host b'a' of x>")
        two = Purge.ofHost(b"a").within(b"x", b"+y")
        self.assertEqual(repr(two), "<Purge host b'a' of x, +y>")

    def test_prefixes(self) -> None:
        """Octet by octet; the empty one covers all."""
        self.assertTrue(Purge.ofPrefix(b"http://a/b").covers(b"http://a/bc"))
        self.assertFalse(Purge.ofPrefix(b"http://a/b").covers(b"http://a/"))
        self.assertTrue(Purge.ofPrefix(b"").covers(b"anything"))

    def test_hosts(self) -> None:
        """Any scheme and port; the whole name, and not what only looks like it."""
        for url in (
            b"http://a.example/",
            b"https://a.example:8443/x",
            b"http://a.example",
            b"http://a.example?x",
            b"http://user@a.example/",
        ):
            self.assertTrue(Purge.ofHost(b"a.example").covers(url), url)
        for url in (
            b"http://b.a.example/",
            b"http://a.example.org/",
            b"http://b/a.example/",
            b"http://a.example@b/",
            b"http://b?http://a.example/",
            b"a.example",
        ):
            self.assertFalse(Purge.ofHost(b"a.example").covers(url), url)
        self.assertTrue(Purge.ofHost(b"[2001:db8::1]").covers(b"http://[2001:db8::1]:80/"))
        self.assertFalse(Purge.ofHost(b"[2001:db8::1]").covers(b"http://[2001:db8::2]:80/"))

    def test_partitions(self) -> None:
        """What begins with the name of one, as a whole word; without one, all."""
        entry = entryOf(b"site http://a.example/x", tags=(b"one", b"two"))
        url = b"http://a.example/x"
        for what in (
            Purge.ofPrefix(b"http://a"),
            Purge.ofHost(b"a.example"),
            Purge.ofTag(b"one"),
            Purge.ofTag(b"three", b"two"),
            Purge.ofKey(entry.key),
        ):
            self.assertTrue(what.coversEntry(entry, url), what)
            self.assertTrue(what.within(b"site").coversEntry(entry, url), what)
            for other in (b"sit", b"site2", b"http"):
                self.assertFalse(what.within(other).coversEntry(entry, url), what)
                self.assertTrue(what.within(other, b"site").coversEntry(entry, url), what)
            self.assertFalse(what.within(b"one", b"two").coversEntry(entry, url), what)
        self.assertFalse(Purge.ofTag(b"three").coversEntry(entry, url))

    def test_noPartitionIsNotAll(self) -> None:
        """Whoever forgets the name does not purge everything."""
        for partitions in ((), (b"",), (b"site", b"")):
            self.assertRaises(ValueError, Purge.ofHost(b"a").within, *partitions)


class SlicesTests(SynchronousTestCase):
    """L{Slices}."""

    def setUp(self) -> None:
        self.clock = Busy()
        self.taken = 0

    def steps(self, count: int) -> Iterator[int]:
        """Steps that each give one."""
        for _ in range(count):
            self.taken += 1
            yield 1

    def test_aFewAreDoneAtOnce(self) -> None:
        """The answer is a number and no timer runs."""
        self.assertEqual(Slices(self.clock, self.steps(3)).begin(), 3)
        self.assertEqual(Slices(self.clock, self.steps(0)).begin(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_manyTakeTurns(self) -> None:
        """So many in each as there is time for, until there are no more."""
        slices = Slices(self.clock, self.steps(6 * UNTIMED))
        done = slices.begin()
        self.assertIs(done, slices.done)
        self.assertEqual(self.taken, 3 * UNTIMED)
        for taken in (4, 5, 6):
            self.clock.turn()
            self.assertEqual(self.taken, taken * UNTIMED)
        self.assertNoResult(slices.done)
        self.clock.turn()
        self.assertEqual(self.successResultOf(slices.done), 6 * UNTIMED)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_itCanBeCancelled(self) -> None:
        """What is done is done, the rest is not."""
        slices = Slices(self.clock, self.steps(6 * UNTIMED))
        slices.begin()
        slices.done.cancel()
        self.failureResultOf(slices.done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.taken, 3 * UNTIMED)

    def test_aDefectIsToldToWhoWaits(self) -> None:
        """And it goes no further."""

        def steps() -> Iterator[int]:
            yield from [1] * 3 * UNTIMED
            raise ZeroDivisionError

        slices = Slices(self.clock, steps())
        slices.begin()
        self.clock.turn()
        self.failureResultOf(slices.done, ZeroDivisionError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
