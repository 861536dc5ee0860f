# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What clients get of the slow cache of L{tests.policy.referencemodel}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .referencefields import Pairs, combined, notModified, rangeOf, spansOf, without
from .referenceleaving import Leaving
from .referenceparts import DIGESTS, Part, held, inOrder, partOf
from .referencestored import Answer, Content, Response, Stored

if TYPE_CHECKING:
    from .referenceroute import Route
    from .referencevisit import Visit

#: RFC 9110 §15.4.5: what describes content that a 304 does not have.
ABOUT_CONTENT = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    *DIGESTS,
)


class Giving(Leaving):
    """
    Answers clients.

    @ivar effects: what was done since somebody emptied this.
    """

    def __init__(self, scheme: str, maxOctets: int, route: Route, partition: str) -> None:
        super().__init__(scheme, maxOctets, route, partition)
        self.effects: list[Any] = []

    def _member(self, visit: Visit, status: int | None, stored: Stored | None) -> str:
        """RFC 9211."""
        member = f"test; fwd={visit.reason}"
        if status is not None:
            member += f"; fwd-status={status}"
        if stored is not None:
            member += f"; ttl={stored.ttl(self.now)}"
        if visit.stores:
            member += "; stored"
        if not visit.collapsed:
            return member
        return member + ("; collapsed=?0" if visit.sent else "; collapsed")

    def _shown(self, visit: Visit, member: str) -> Pairs:
        """What the operator wants to be seen of it."""
        if self.route.cacheStatus == "off":
            return []
        added = self.route.added(visit.fields)
        if self.route.cacheStatus == "key" and visit.shelf is not None and added is not None:
            key = f"{self.partition} {self.scheme}://{visit.host}{self.route.keyed(visit.target)}"
            key += "".join(f"%0A{each}" for each in added)
            self.count("key shown")
            member = f'{member}; key="{key}"'
        return [("Cache-Status", member)]

    def _pass(self, visit: Visit, response: Response) -> None:
        """What the origin answers, as it is."""
        if visit.background:
            return
        self.count("passed")
        fields = [
            *self._derived(response.fields),
            *self._shown(visit, self._member(visit, None, None)),
        ]
        content = response.content
        length = content.announced
        if response.status == 204:
            length = -1
        if visit.method == "HEAD" or response.status == 304:
            # RFC 9110 §8.6: of the content that there would be.
            value = combined(response.fields, "content-length")
            length = -1 if value is None else int(value)
        self._answer(visit, response.status, fields, content, 0, None, length)

    def _give(
        self,
        visit: Visit,
        stored: Stored,
        member: str,
        response: Response | None = None,
        own: Pairs | None = None,
    ) -> None:
        """
        RFC 9111 §4: from what is stored, by the client's preconditions and ranges.

        @param response: what the origin has just answered, if this is as that says: no C{Age} then
            (RFC 9111 §5.1), but where that has one.
        @param own: of that, what is for who asked.
        """
        if visit.background:
            return
        more = [*(own or []), *self._shown(visit, member)]
        if response is None or combined(response.fields, "age") is not None:
            more.append(("Age", str(stored.age(self.now))))
        fields, content = stored.fields, stored.content
        length = content.length
        if visit.method != "POST" and notModified(visit.fields, stored.status, stored.validators):
            gone: tuple[str, ...] = (*ABOUT_CONTENT, "last-modified")
            if combined(fields, "etag") is None:
                gone = ABOUT_CONTENT
            self.count("304")
            self._answer(visit, 304, [*without(fields, *gone), *more], None, 0, None, -1)
            return
        if visit.method == "GET" and stored.status == 200 and length is not None:
            wanted = rangeOf(visit.fields, stored.validators)
            if wanted is not None:
                parts = [Part(*each, length) for each in spansOf(wanted, length)]
                if not parts:
                    self.count("416")
                    date = combined(fields, "date")
                    few = [("Content-Range", f"bytes */{length}"), ("Date", str(date)), *more]
                    self._answer(visit, 416, few, None, 0, None, 0)
                    return
                if inOrder(content, parts):
                    self.count("206")
                    self._parts(visit, stored, parts, 0, more)
                    return
                self.count("not 206 of what arrives")
        if stored.status == 206:
            parts, known = held(stored, visit.method, visit.fields), partOf(fields)
            assert parts
            assert known is not None
            self.count("206 of a part")
            self._parts(visit, stored, parts, known.first, more)
            return
        if stored.status == 204:
            length = -1
        self._answer(visit, stored.status, [*fields, *more], content, 0, None, length)

    def _parts(
        self, visit: Visit, stored: Stored, parts: list[Part], first: int, more: Pairs
    ) -> None:
        """RFC 9110 §15.3.7: one part or several; what is stored begins with an octet."""
        fields, content = stored.fields, stored.content
        if parts != [partOf(fields)]:
            fields = without(fields, *DIGESTS)
        if len(parts) == 1:
            start, stop = parts[0].first - first, parts[0].end - first
            value = ("Content-Range", parts[0].value)
            fields = [*without(fields, "content-range"), value, *more]
            self._answer(visit, 206, fields, content, start, stop, stop - start)
            return
        self.count("206 of several")
        kind = combined(fields, "content-type")
        lines: Pairs = [] if kind is None else [("Content-Type", kind)]
        content.isRead = True
        self.effects.append(
            Answer(
                visit.client,
                206,
                [*without(fields, "content-range", "content-type"), *more],
                content,
                0,
                None,
                None,
                parts=tuple(
                    ([*lines, ("Content-Range", each.value)], each.first - first, each.end - first)
                    for each in parts
                ),
            )
        )

    def _answer(
        self,
        visit: Visit,
        status: int,
        fields: Pairs,
        content: Content | None,
        start: int,
        stop: int | None,
        length: int | None,
    ) -> None:
        """See L{Answer}: of what is on its way the client reads the rest, too."""
        if content is not None and visit.method != "HEAD":
            content.isRead = True
        self.effects.append(Answer(visit.client, status, fields, content, start, stop, length))
