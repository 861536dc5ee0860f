# -*- test-case-name: tests.policy.test_purgerequests -*-
"""
Requests that purge: C{PURGE}, the method that caches have for it by custom.

No RFC has it.  What its target is about is forgotten, in all variants, under the
key that a GET of it has; other fields make it about more (L{SCOPE}, tags) or less
thorough (L{SOFT_FIELDS}).  It is answered here and never sent on.

Who may is decided by the address at the other end of the connection.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import MethodNotAllowed, RequestDenied
from ..exchange import Reply
from ..wire.fields import Fields
from ..wire.message import NO_BODY
from .purging import Purge, hostOf, urlOf
from .siblings import Siblings
from .tags import MOST_TAGS, TAG_FIELDS, readTags

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from ..exchange import Exchange
    from ..wire.message import RequestHead
    from .cachestate import Cache
    from .networks import Networks
    from .targets import Targets

PURGE: Final = b"PURGE"
#: The field that says what of the target it is about.
SCOPE: Final = b"purge-scope"
#: The fields that ask to make stale and not to remove: ours, and Fastly's.
SOFT_FIELDS: Final = (b"soft-purge", b"fastly-soft-purge")
#: Purges that may be under way at once, over all fronts.  Each holds a list of the
#: keys that it has yet to look at, and takes its time in each turn of the reactor.
PURGES: Final = 4

_YES: Final = (b"1", b"?1")
_NO: Final = (b"0", b"?0")
_JSON: Final = (
    (b"Content-Type", b"application/json"),
    (b"Cache-Control", b"no-store"),
)


_log = Logger("intermediary.policy.purgerequests")


class Unclear(ValueError):
    """What a request wants purged can't be told; says why, for whoever sent it."""


def refusePurge(exchange: Exchange) -> None:
    """
    Be the step of a route that stores nothing, where others of the process do.

    @raise MethodNotAllowed: for a PURGE: whoever sent it meant us and no origin.
    """
    request = exchange.request
    assert request is not None
    if request.method == PURGE:
        raise MethodNotAllowed("PURGE of what is not cached")


class PurgeRequests:
    """
    Answers C{PURGE}, for one route.

    Once begun, a purge goes on to its end whether or not somebody waits for it.
    """

    __slots__ = ("_cache", "_partition", "_partitions", "_purgers", "_targets")

    def __init__(
        self,
        cache: Cache,
        targets: Targets,
        partition: bytes,
        partitions: list[bytes],
        purgers: Networks,
    ) -> None:
        """
        @param partition: that of the route.
        @param partitions: those of all routes of its front, which may be added until
            there are requests.
        @param purgers: who may purge.
        @raise ValueError: without a partition it would be the entries of all.
        """
        if not partition:
            raise ValueError("a front whose entries may be purged needs a name")
        self._cache = cache
        self._targets = targets
        self._partition = partition
        self._partitions = partitions
        self._purgers = purgers

    def answer(self, exchange: Exchange) -> Any:
        """
        Purge.

        @return: the reply, or a L{Deferred} of it.  Cancelling that is not to
            wait; the purge goes on.
        @raise RequestDenied: the client may not.
        """
        request = exchange.request
        assert request is not None
        peer = exchange.peerHost
        if not self._purgers.has(peer):
            raise RequestDenied(f"PURGE from {peer}, which is not in purge-from")
        try:
            what = self._read(exchange, request)
            soft = _isSoft(request.fields)
        except Unclear as error:
            return _reply(400, {"error": str(error)})
        if self._cache.purging >= PURGES:
            reply = _reply(503, {"error": f"{PURGES} purges are under way"})
            reply.fields = reply.fields.adding((b"Retry-After", b"1"))
            return reply
        count = self._cache.purge(what, soft)
        if isinstance(count, int):
            return self._done(count, what, soft, peer)
        waiting: Deferred[Reply] = Deferred()

        def done(result: int) -> None:
            reply = self._done(result, what, soft, peer)
            if not waiting.called:
                waiting.callback(reply)

        def failed(failure: Failure) -> None:
            _log.failure("A purge failed: {what!r} for {peer}", failure, what=what, peer=peer)
            if not waiting.called:
                waiting.callback(_reply(500, {"error": "it failed; the log says why"}))

        count.addCallbacks(done, failed)
        return waiting

    def _done(self, count: int, what: Purge, soft: bool, peer: str) -> Reply:
        _log.info(
            "{peer} {did} {count} of {front}: {kind} {value}",
            peer=peer,
            did="made stale" if soft else "purged",
            count=count,
            front=b", ".join(what.partitions or (self._partition,)).decode("ascii"),
            kind=what.kind,
            # As a client may spell it, so not without quotes.
            value=repr(what.value)[1:],
        )
        return _reply(200, {"purged": count})

    def _read(self, exchange: Exchange, request: RequestHead) -> Purge:
        """
        Find out what a request is about.

        @raise Unclear: it does not say, or says too much.
        """
        fields = request.fields
        if request.framing != NO_BODY:
            raise Unclear("a PURGE has no content")
        scope = fields.get(SCOPE)
        if any(name in fields.index for name in TAG_FIELDS):
            if scope is not None:
                raise Unclear("Purge-Scope is for purges without tags")
            tags = tuple(readTags(fields))
            if not tags:
                raise Unclear("the field for tags names none")
            if len(tags) > MOST_TAGS:
                raise Unclear(f"more than {MOST_TAGS} tags; send several requests")
            return Purge.ofTag(*tags).within(*self._partitions)
        key = self._targets.commonOf(self._targets.targetOf(exchange))
        kind = b"url" if scope is None else scope.lower()
        if kind == b"url":
            # All that it has, whatever this request would have looked up.
            return Purge.ofTag(Siblings.tagOf(key)) if self._targets.several else Purge.ofKey(key)
        url = urlOf(key)
        if kind == b"host":
            return Purge.ofHost(hostOf(url)).within(*self._partitions)
        if kind == b"prefix":
            if b"?" in request.target:
                raise Unclear("a prefix is one of a path: leave the query out")
            return Purge.ofPrefix(url).within(*self._partitions)
        raise Unclear("Purge-Scope is none of url, prefix, host")


def _isSoft(fields: Fields) -> bool:
    """
    Read whether things are to be made stale only.

    @raise Unclear: it is neither yes nor no.
    """
    soft = False
    for name in SOFT_FIELDS:
        value = fields.get(name)
        if value is None or value in _NO:
            continue
        if value not in _YES:
            raise Unclear(f"{name.decode('ascii').title()} is neither 1 nor 0")
        soft = True
    return soft


def _reply(status: int, content: dict[str, Any]) -> Reply:
    return Reply(status, Fields.fromPairs(_JSON), json.dumps(content).encode("ascii") + b"\n")
