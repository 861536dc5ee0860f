# -*- test-case-name: tests.wire.test_refusals -*-
"""
The table of refusals holds, and the documentation shows it.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.wire.http1 import RequestReader, ResponseReader

from .feeding import each
from .refusals import LIMITS, REFUSALS, feed, firstRefused, render

_PAGE = Path(__file__).parents[2] / "docs" / "refusals.md"


class RefusalTests(SynchronousTestCase):
    """Each row of the table, fed to a reader."""

    def test_eachIsRefusedWithItsStatus(self) -> None:
        """In one piece, every example raises the status and token of its row."""
        for refusal in REFUSALS:
            outcome = feed(refusal, [refusal.octets])
            assert outcome.error is not None, f"taken: {refusal}"
            self.assertEqual(outcome.error[:2], (refusal.status, refusal.token), refusal)

    def test_eachIsRefusedOctetByOctet(self) -> None:
        """However the octets come, the refusal is the same, to the detail."""
        for refusal in REFUSALS:
            whole = feed(refusal, [refusal.octets])
            cut = feed(refusal, each(refusal.octets))
            self.assertEqual((cut.events, cut.error), (whole.events, whole.error), refusal)

    def test_noneComesLaterForComingInPieces(self) -> None:
        """The octet at which an example is refused is the same however it comes."""
        for refusal in REFUSALS:
            size = firstRefused(refusal)
            if size:
                octets = each(refusal.octets[:size])
                self.assertIsNotNone(feed(refusal, octets, eof=False).error, refusal)
                self.assertIsNone(feed(refusal, octets[:-1], eof=False).error, refusal)

    def test_noneNeedsMoreThanItsOctets(self) -> None:
        """An example does not depend on what would come after it, so nobody waits."""
        for refusal in REFUSALS:
            if refusal.token != "http_response_incomplete":
                outcome = feed(refusal, [refusal.octets], eof=False)
                self.assertEqual(outcome.status, refusal.status, refusal)

    def test_aReaderThatRefusedIsDead(self) -> None:
        """
        Every later call raises the same, whatever it is fed, and nothing is held.
        """
        for refusal in REFUSALS:
            reader = ResponseReader(LIMITS) if refusal.status == 502 else RequestReader(LIMITS)
            if isinstance(reader, ResponseReader):
                reader.expect(refusal.method)
            first = None
            try:
                reader.receive(refusal.octets)
                if isinstance(reader, ResponseReader):
                    reader.eof()
            except WireError as error:
                first = error
            assert first is not None
            for data in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"x"):
                again = self.assertRaises(WireError, reader.receive, data)
                self.assertIs(again, first)
            self.assertEqual(reader.held, 0)

    def test_noDetailRepeatsOctets(self) -> None:
        """What the log gets names the offence, it does not quote the offender."""
        for refusal in REFUSALS:
            outcome = feed(refusal, [refusal.octets])
            assert outcome.error is not None
            self.assertTrue(outcome.error[2].isascii() and outcome.error[2].isprintable())
            self.assertNotIn("a.example", outcome.error[2])


class PageTests(SynchronousTestCase):
    """C{docs/refusals.md}."""

    def test_thePageShowsTheTable(self) -> None:
        """C{python -m tests.wire.refusals > docs/refusals.md} has been run."""
        self.assertEqual(_PAGE.read_text(encoding="utf-8"), render())
