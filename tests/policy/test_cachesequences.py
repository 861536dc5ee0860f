# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
Whole fronts with a cache do what the slow one does, whatever happens (RFC 9111).

A few hundred sequences each time; C{INTERMEDIARY_HYPOTHESIS=long} runs a hundred
thousand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from unittest import skipUnless

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.policy import arrival as arrivalModule

from ..wire import strategies
from .cachedrawing import sequence
from .cachefronts import SAID, Front
from .cachemutations import MISTAKES, found
from .cachesequences import attempt, check, drawn, shortened, told
from .cachesteps import (
    Answering,
    Asking,
    Ending,
    Evicting,
    Leaving,
    Passing,
    Purging,
    Recipe,
)
from .referenceroute import Route

if TYPE_CHECKING:
    from random import Random

    from .cachesteps import Step

#: How many sequences come of one number.
BATCH = 25 if os.environ.get("INTERMEDIARY_HYPOTHESIS") == "long" else 3
#: How many sequences are the same in each run, and what has to happen in all of them.
FIXED = 300
HAPPENING = {
    "hit": 250,
    "stored": 250,
    "validation": 100,
    "validated": 50,
    "request": 10,
    "vary-miss": 30,
    "waited": 20,
    "collapsed hit": 5,
    "stale hit": 8,
    "stale if error": 2,
    "background": 6,
    "invalidated": 20,
    "purged": 20,
    "refreshed": 6,
    "late": 3,
    "206": 10,
    "206 of a part": 2,
    "completing": 3,
    "joined": 2,
    "part freshens": 1,
    "part stored": 40,
    "whole fetched": 2,
    "whole of parts": 2,
    "304": 10,
    "afresh": 10,
    "alone overtaken": 3,
    "brought": 5,
    "cookie stored": 2,
    "evicted": 10,
    "goes past": 10,
    "key shown": 3,
    "lost": 20,
    "misspelt": 4,
    "modest": 2,
    "no key": 5,
    "timed": 10,
    "too early": 5,
}
#: Mistakes that are found soon enough for each run.
SOON = (
    "Age is ignored",
    "Pragma is ignored",
    "Vary is not compared",
    "a 304 does not update",
    "nothing is invalidated",
)


def _answering(**fields: str) -> Recipe:
    """A 200 of a few octets with these fields."""
    return Recipe(200, "", False, tuple(fields.items()), 12, False, False)


class SequenceTests(SynchronousTestCase):
    """Random sequences of requests, answers, time and purges."""

    def test_theyAreAsTheModelSays(self) -> None:
        """Who is asked what, who gets what, and what C{Cache-Status} says of it."""

        # What differs is made short here, and by seeds Hypothesis could not do it.
        @settings(phases=(Phase.explicit, Phase.generate))
        @given(st.integers(0, 2**48))
        def run(seed: int) -> None:
            for number in range(BATCH):
                difference = check(f"{seed}/{number}", {})
                assert difference is None, difference

        run()

    def test_allThatMattersHappens(self) -> None:
        """What never gets a hit finds nothing."""
        counts: dict[str, int] = {}
        for number in range(FIXED):
            self.assertIsNone(check(f"1/{number}", counts))
        for what, least in HAPPENING.items():
            self.assertGreaterEqual(counts.get(what, 0), least, (what, counts))

    def test_orAsHypothesisLikes(self) -> None:
        """Which looks for short ones, and for what is rarely there by chance."""

        # Nothing at all is a sequence of some steps, each with some fields.
        @settings(suppress_health_check=[*strategies.QUIET, HealthCheck.large_base_example])
        @given(
            st.randoms(use_true_random=False),
            st.sampled_from(["reverse", "forward"]),
            st.sampled_from([{}, *SAID]),
            st.sampled_from([False, False, False, True]),
        )
        def run(random: Random, kind: str, said: dict[str, Any], tier: bool) -> None:
            front = Front(kind, Route(**said), tier)
            steps = sequence(random, front.route, tier=tier)
            error = attempt(steps, front)[1]
            assert error is None, told(steps, front)

        run()

    def test_theSameSeedIsTheSameSequence(self) -> None:
        """Also in what is heard of it."""
        steps, front = drawn("1/1")
        self.assertEqual((steps, front), drawn("1/1"))
        self.assertEqual(attempt(steps, front)[0].transcript, attempt(steps, front)[0].transcript)

    def test_nobodyReadsWhatOutgrowsTheStore(self) -> None:
        """Its client has it already; so who asked about it meanwhile needs it anew."""
        validated = _answering(ETag='W/"t1"')
        steps: list[Step] = [
            Asking("GET", "/a", ()),
            Asking("GET", "/a", (("If-Modified-Since", 50),)),
            Asking("PUT", "/a", ()),
            Answering(-1, _answering()),
            Asking("GET", "/a", ()),
            Answering(0, _answering()),
            Answering(0, validated._replace(octets=300, chunked=True)),
            Answering(0, validated._replace(confirms="weak")),
            Answering(0, _answering()),
        ]
        run, error = attempt(steps, Front())
        self.assertIsNone(error, error)
        self.assertEqual(run.model.counts["afresh"], 1)

    def test_aRefreshBringsNoContentFromTheDisk(self) -> None:
        """So the origin is not asked whether that is what another request would get."""
        german = (("Accept-Language", "de"),)
        fresh = (("Vary", "Accept-Language"), ("ETag", '"t2"'), ("Cache-Control", "max-age=30"))
        steps: list[Step] = [
            Asking("GET", "/a", german),
            Answering(0, _answering()._replace(fields=fresh)),
            Asking("GET", "/a", german),
            Evicting(again=False),
            # Has the head of what left come back.
            Asking("GET", "/a", ()),
            Answering(0, _answering()),
            Passing(28),
            Answering(0, _answering()._replace(confirms="first")),
            Asking("GET", "/a", ()),
        ]
        run, error = attempt(steps, Front(route=Route(refreshUses=1), tier=True))
        self.assertIsNone(error, error)
        self.assertEqual(run.model.counts["refreshed"], 1)
        self.assertIn("origin hears from 4: GET /a [('host', 'a.example')]", run.transcript[-1])

    def test_whatIsUsedTwiceGoesToTheDisk(self) -> None:
        """Though it was purged softly on its way there; whoever uses it once leaves it here."""
        asking = Asking("GET", "/a", ())
        stored = _answering(**{"Last-Modified": "Sun, 09 Sep 2001 01:45:00 GMT"})
        for uses, written in ((1, 0), (2, 1)):
            steps: list[Step] = [
                asking,
                Answering(0, stored._replace(half=True)),
                Purging("key", "/a", soft=True),
                Ending(0, breaks=False),
                *[asking] * uses,
                Answering(0, _answering()._replace(status=500)),
                Evicting(again=True),
                asking,
            ]
            run, error = attempt(steps, Front(route=Route(use=20.0), tier=True))
            self.assertIsNone(error, error)
            self.assertEqual(run.model.counts.get("written later", 0), written)
            self.assertEqual(run.model.counts.get("brought", 0), written)

    def test_whatOutgrowsTheStoreOnItsWayToTheDisk(self) -> None:
        """Is read by who writes it, so all of it is there for who has asked about it."""
        asking = Asking("GET", "/a", ())
        big = _answering(ETag='W/"t3"')._replace(octets=300, chunked=True)
        for tier, standing in ((False, 0), (True, 1)):
            steps: list[Step] = [
                asking,
                Answering(0, _answering(**{"Cache-Control": "s-maxage=10"})),
                asking,
                Passing(10),
                # It waits for the refresh, and is sent on with what comes of that.
                asking,
                Answering(0, big),
                Ending(0, breaks=True),
            ]
            run, error = attempt(steps, Front(route=Route(refreshUses=1), tier=tier))
            self.assertIsNone(error, error)
            self.assertEqual(run.model.counts.get("stale if error", 0), standing)

    def test_whatBecomesTheDisksAloneIsAskedForAnew(self) -> None:
        """Who has asked about it on its way has no file open."""
        asking = Asking("GET", "/a", ())
        steps: list[Step] = [
            asking,
            Answering(0, _answering(ETag='"t1"')._replace(half=True)),
            asking,
            Evicting(again=False),
            Ending(0, breaks=False),
            Answering(0, _answering()._replace(confirms="first")),
            Answering(0, _answering()),
        ]
        run, error = attempt(steps, Front(tier=True))
        self.assertIsNone(error, error)
        self.assertEqual((run.model.counts["spilt"], run.model.counts["afresh"]), (1, 1))

    def test_whatIsWrittenIsNewerThanWhatIsRenewed(self) -> None:
        """A 304 is about two, and the content of one of them is on the disk already."""
        asking = Asking("GET", "/a", ())
        tagged = _answering(ETag='"t1"')
        varying = tagged._replace(fields=(("Vary", "Accept-Encoding"), *tagged.fields))
        fresh = _answering(**{"Cache-Control": "max-age=60"})
        steps: list[Step] = [
            asking,
            Answering(0, varying),
            asking,
            Answering(0, tagged._replace(half=True)),
            # It does not get to the disk, and what was there before does stay.
            Purging("key", "/a", soft=True),
            Ending(0, breaks=False),
            asking,
            Answering(0, fresh._replace(confirms="first")),
            Evicting(again=False),
            asking,
        ]
        run, error = attempt(steps, Front(tier=True))
        self.assertIsNone(error, error)
        self.assertEqual(run.model.counts["brought"], 1)
        self.assertEqual(run.model.counts["hit"], 1)

    def test_whatAPartReplacesOnItsWay(self) -> None:
        """Nobody stores the rest of it, so a 304 about it answers nobody."""
        asking = Asking("GET", "/a", ())
        stale = _answering(Age="99", **{"Last-Modified": "Sun, 09 Sep 2001 01:46:30 GMT"})
        part = _answering(ETag='"t1"')._replace(octets=190, ranged="part")
        steps: list[Step] = [
            asking,
            Answering(0, stale._replace(half=True)),
            Leaving(0),
            asking,
            Asking("GET", "/a", (("Range", "bytes=8-170"),)),
            Answering(-1, part),
            Ending(0, breaks=False),
            Answering(0, _answering()._replace(confirms="weak")),
        ]
        run, error = attempt(steps, Front())
        self.assertIsNone(error, error)
        self.assertEqual((run.model.counts["part stored"], run.model.counts["afresh"]), (1, 1))

    def test_whatArrivesWhileTheDiskAnswers(self) -> None:
        """Is asked about, too: who waits for content looks again when that is there."""
        asking = Asking("GET", "/a", ())
        later = {"Date": "Sun, 09 Sep 2001 01:46:50 GMT", "Cache-Control": "max-age=60"}
        steps: list[Step] = [
            asking,
            Answering(0, _answering(**later, Vary="X-Vary")),
            Evicting(again=True),
            Asking("GET", "/a", (("X-Vary", "b"),)),
            Answering(0, _answering(**later, ETag='W/"t3"')),
            Purging("key", "/a", soft=True),
            # What has the later date is the other one again, when this is answered.
            asking,
            asking,
            Answering(0, _answering(**{"Cache-Control": "max-age=60", "ETag": '"t1"'})),
        ]
        run, error = attempt(steps, Front(tier=True))
        self.assertIsNone(error, error)
        self.assertEqual(run.model.counts["waited"], 1)
        self.assertEqual(run.model.counts["stale"], 3)

    @skipUnless(str(arrivalModule.__file__).endswith(".py"), "what is compiled can't be replaced")
    def test_mistakesAreFound(self) -> None:
        """Within some dozens of sequences; C{cachemutations} knows many more."""
        for name in SOON:
            self.assertIn(name, MISTAKES)
            self.assertIsNotNone(found(name, 60), name)

    def test_aDifferenceIsToldInShort(self) -> None:
        """With the steps to do it again, and what was heard."""
        recipe = Recipe(200, "", False, (("Cache-Control", "max-age=60"),), 5, False, False)
        asking = Asking("GET", "/a", ())
        steps: list[Step] = [asking, Answering(0, recipe), Passing(10), asking, Passing(1)]
        self.assertIsNone(attempt(steps, Front())[1])
        # To answer what nobody asked is an error of the test itself.
        broken: Step = Answering(0, recipe._replace(fields=((1, 2),)))  # type: ignore[arg-type]
        short = shortened([*steps, asking._replace(target="/b"), broken], Front())
        self.assertEqual(len(short), 2)
        self.assertIn("client 1: GET /b", told(short, Front()))
