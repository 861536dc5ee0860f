# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What the slow cache of L{tests.policy.referencemodel} knows of one URI, and of one request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import rfc9111
from .referencestored import demandOf

if TYPE_CHECKING:
    from .referencefields import Pairs
    from .referencestored import Stored


class Shelf:
    """What is known of one URI."""

    def __init__(self) -> None:
        self.stored: list[Stored] = []
        self.leader: Visit | None = None
        self.passUntil = 0.0
        self.misses = 0
        self.missesUntil = 0.0

    @property
    def here(self) -> list[Stored]:
        """What is in memory."""
        return [each for each in self.stored if not each.isGone]

    def bring(self) -> bool:
        """Get all that is behind it; whether there was anything."""
        # There, the newest is what is on its way, and then what was complete last.
        gone = sorted(
            [each for each in self.stored if each.isGone],
            key=lambda each: (not each.content.complete, each.place),
            reverse=True,
        )
        for each in gone:
            each.isGone = False
            # The content of a head is got when the head is chosen; what still arrives is here.
            each.isLoaded = not (each.content.complete and each.content.octets)
        # The newest are the first.
        self.stored = [*gone, *[each for each in self.stored if each not in gone]]
        return bool(gone)


class Visit:
    """A request that is not answered yet, and what is found out about it."""

    def __init__(
        self,
        client: int,
        method: str,
        target: str,
        host: str,
        fields: Pairs,
        *,
        modest: bool = False,
        content: bool = False,
    ) -> None:
        self.client = client
        self.method = method
        self.target = target
        self.spelt = host
        # RFC 9110 §4.2.3, and the dot at the end of a name means nothing here.
        self.host = host.lower().removesuffix(":80").removesuffix(".")
        self.fields = fields
        self.content = content
        self.reason = ""
        self.demand = demandOf(fields, modest=modest)
        self.shelf: Shelf | None = None
        self.joined = False
        self.followers: list[Visit] = []
        self.entries: list[Stored] = []
        self.part: Stored | None = None
        self.completing = False
        self.ranged = False
        self.others: list[Stored] = []
        self.requested = 0.0
        self.validating = False
        self.preconditions = False
        self.collapsed = False
        self.sent = False
        self.looked = 0.0
        self.failures = 0
        self.excused = False
        self.pardoned = False
        self.outdated = False
        self.purges: list[tuple[str, str, bool]] = []
        self.ahead: Stored | None = None
        self.began = 0.0
        self.useless = False
        self.background = False
        self.past = False
        self.sought = False
        self.awaited: Stored | None = None
        self.stores = False

    def wants(self, directive: str) -> bool:
        """Whether it has one."""
        return directive in rfc9111.directives(self.demand)

    @property
    def leads(self) -> bool:
        """Others wait for its answer, or would."""
        return self.shelf is not None and self.shelf.leader is self
