# -*- test-case-name: tests.policy.test_cacheanswers -*-
"""
Validation: what the origin is asked about stored responses, and what a 304 is about
(RFC 9111 §4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.conditional import (
    PRECONDITIONS,
    isConditional,
    isStrong,
    readValidators,
    validated,
    validationFields,
)
from ..wire.fields import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Exchange, ForwardHead
    from ..wire.fields import Fields
    from .admission import Admission
    from .answers import Answers
    from .entries import Entry
    from .recentpurges import RecentPurges
    from .visit import Visit


class Validation:
    """Validates the stored responses of one route."""

    __slots__ = ("_admission", "_answers", "_purges", "_seconds")

    def __init__(
        self,
        answers: Answers,
        admission: Admission,
        purges: RecentPurges,
        seconds: Callable[[], float],
    ) -> None:
        self._answers = answers
        self._admission = admission
        self._purges = purges
        self._seconds = seconds

    def condition(self, exchange: Exchange) -> None:
        """Make the request one whose answer can be stored, or that validates."""
        visit: Visit | None = exchange.visit
        forward = exchange.forward
        if visit is None or forward is None:
            return
        purges = self._purges
        if visit.epoch >= 0 and purges.overtook(visit, EMPTY):
            # A 304 must not bring back what was purged since it was looked up; what
            # was so softly is validated after it, by this.
            visit.forgetGone()
        if visit.epoch >= 0:
            # The first time it is asked for as soon as it was looked up.
            visit.requested = self._seconds()
        visit.epoch = purges.serial
        visit.changes = purges.changes.serial
        if not visit.key:
            return
        if visit.fetch is not None or visit.entries or visit.others:
            self._ask(forward, visit)
        else:
            # As of all that can't be stored.
            visit.validating = visit.completing = False

    def _ask(self, forward: ForwardHead, visit: Visit) -> None:
        """
        Make the request one that validates or completes what is stored.

        Where there is nothing of the kind, make its answer one for others, too.
        """
        visit.validating = visit.completing = False
        fields = forward.fields
        ranged = b"range" in fields.index
        stored = [self._answers.validators(each) for each in visit.entries]
        if not stored and not ranged:
            stored = [self._answers.validators(each).tagAlone for each in visit.others]
        conditional = validationFields(fields, stored) if stored else None
        if conditional is not None:
            own = fields.get(b"if-range")
            if ranged and own is not None:
                # It is looked at after the others (RFC 9110 §13.2.2).
                conditional = conditional.adding((b"If-Range", own))
            forward.fields = conditional
            visit.validating = True
            return
        if visit.fetch is None:
            return
        if isConditional(fields) or b"if-range" in fields.index:
            # Others can't use a 304 to what this client has; and what is about a
            # range means nothing without one (RFC 9110 §13.1.5).
            fields = forward.fields = fields.without(PRECONDITIONS)
        if visit.part is not None and forward.method == b"GET":
            completing = self._answers.completion(visit.part)
            if completing is not None:
                forward.fields = fields.adding(*completing)
                visit.completing = True

    def current(
        self, visit: Visit, request: Fields, new: Fields, now: float, forNobody: bool
    ) -> Entry | None:
        """
        Find what a 304 is about, and update it (RFC 9111 §4.3.4).

        @param request: the fields of the client's request.
        @param new: those of the 304.
        @param forNobody: no client gets it now.
        @return: the response that answers the request; None if it is about
            none that is stored.
        """
        entries = visit.entries or visit.others
        stored = [self._answers.validators(each) for each in entries]
        validators = readValidators(new, now)
        # Of a response to another request it has to be known for sure.
        first = 0 if visit.entries else -1
        strong = validators.tag is not None and isStrong(validators.tag)
        found = [
            index
            for index in validated(stored, validators)
            if index == first or (strong and stored[index].tag == validators.tag)
        ]
        if not found:
            return None
        body = entries[found[0]].body
        # Nobody reads what is validated in the background, so its file may be closed.
        if not body.isWhole and not (forNobody and body.isKept):
            return None
        updated = [
            self._admission.freshen(entries[index], request, new, visit.requested, now)
            for index in found
        ]
        entry, visit.stored = updated[0]
        # If it may not be stored any more, it is the answer to this request alone.
        return self._admission.share(entry, request) if visit.stored else entry
