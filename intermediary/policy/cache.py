# -*- test-case-name: tests.policy.test_cache -*-
"""
The cache, as steps of a program (RFC 9111).

A request is looked up; if nothing stored answers it, it is sent on, and whoever
asks for the same meanwhile waits for its answer.  What comes back is stored if it
may be, validates what was stored, or is passed on.  The rules are pure functions
in L{intermediary.wire}; stores are L{ICacheStore<intermediary.interfaces.ICacheStore>}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..errors import ClientGone, IntermediaryError, ResponseInvalid
from ..exchange import Exchange, Reply
from ..program import DELIVER, PARKED
from ..wire.cachekey import normaliseTarget
from ..wire.cachestatus import (
    BYPASS,
    METHOD,
    REQUEST,
    STALE,
    URI_MISS,
    VARY_MISS,
    CacheStatus,
)
from ..wire.conditional import (
    ORIGINS_PRECONDITIONS,
    PRECONDITIONS,
    headMatches,
    isConditional,
    readValidators,
    validated,
    validationFields,
)
from ..wire.fields import Fields
from ..wire.freshness import evaluate
from ..wire.invalidation import invalidTargets
from ..wire.message import NO_BODY, RequestHead
from ..wire.reuse import (
    ERRORS,
    FRESH,
    ORDINARY,
    REFUSED,
    STALE_WHILE,
    judge,
    mayReplaceError,
    readDemand,
)
from ..wire.reuse import STALE as TOO_STALE
from ..wire.storing import readControl, storedFields, unstoredNames, whyNotStored
from ..wire.target import Target, parseAuthority
from ..wire.updating import updated
from ..wire.variants import parseVary, secondaryKey
from .answers import Answers, Record
from .body import Body
from .entries import Entry
from .filling import Filling, Nobody, continueWith, restProgram
from .heads import Heads

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..interfaces import ICacheStore
    from ..program import Program
    from ..wire.cachekey import KeyMaker
    from ..wire.reuse import Demand
    from ..wire.rules import CacheRules
    from .entries import Shelf

#: How long requests for what could not be stored are not made to wait for each other.
PASS_SECONDS: Final = 120.0
#: Validations and fetches under way for nobody in particular, of one process.
BACKGROUND: Final = 64

_TAG_FIELDS: Final = (b"surrogate-key", b"cache-tag")
#: Tags that one response may have.
_MOST_TAGS: Final = 64
_AGE: Final = frozenset({b"age"})
_OUTLIVING: Final = frozenset({b"stale-if-error", b"stale-while-revalidate"})
_HOSTS: Final = 1024


class Fetch:
    """
    A request on its way to the origin, and who waits for its answer.

    @ivar leader: whose request it is.
    @ivar followers: parked exchanges, in the order in which they came.
    """

    __slots__ = ("followers", "leader")

    def __init__(self, leader: Exchange) -> None:
        self.leader = leader
        self.followers: dict[Exchange, None] = {}


class _Following:
    """That an exchange waits for the answer to another one's request."""

    __slots__ = ("_exchange", "_fetch")

    def __init__(self, fetch: Fetch, exchange: Exchange) -> None:
        self._fetch = fetch
        self._exchange = exchange

    def cancel(self) -> None:
        """It waits no more."""
        self._fetch.followers.pop(self._exchange, None)


class Visit:
    """
    What the cache remembers about an exchange that it could not answer at once.

    @ivar reason: why it was sent on (RFC 9211 §2.2).
    @ivar fetch: the fetch that it leads, or None.
    @ivar entries: what it validates, the one that would answer it first.
    @ivar answered: its reply was made here, and says in C{Cache-Status} how.
    @ivar failed: the fetch that it waited for has failed.
    """

    __slots__ = (
        "answered",
        "collapsed",
        "demand",
        "entries",
        "failed",
        "fetch",
        "key",
        "reason",
        "requested",
        "shelf",
        "stored",
        "target",
        "validating",
    )

    def __init__(self, reason: bytes, requested: float) -> None:
        self.reason = reason
        self.requested = requested
        self.key = b""
        self.target: Target | None = None
        self.shelf: Shelf | None = None
        self.demand: Demand = ORDINARY
        self.fetch: Fetch | None = None
        self.entries: list[Entry] = []
        self.validating = False
        self.collapsed = False
        self.stored = False
        self.answered = False
        self.failed = False


class Cache:
    """
    What all routes of a process share.

    @ivar hits: requests that were answered without asking.
    @ivar misses: requests that were sent on although they might have been stored.
    @ivar collapsed: requests that waited for another one's answer.
    @ivar background: exchanges under way for nobody in particular.
    """

    __slots__ = (
        "background",
        "collapsed",
        "heads",
        "hits",
        "maxObjectOctets",
        "misses",
        "store",
        "targeted",
    )

    def __init__(
        self, store: ICacheStore, maxObjectOctets: int, targeted: tuple[bytes, ...] = ()
    ) -> None:
        """
        @param targeted: see L{CacheRules<intermediary.wire.rules.CacheRules>}.
        """
        self.store = store
        self.maxObjectOctets = maxObjectOctets
        self.targeted = targeted
        self.heads = Heads()
        self.hits = 0
        self.misses = 0
        self.collapsed = 0
        self.background = 0

    def __repr__(self) -> str:
        return (
            f"<Cache hits={self.hits} misses={self.misses} collapsed={self.collapsed}"
            f" background={self.background} {self.store!r}>"
        )


class RouteCache:
    """
    The steps of one route.

    @ivar program: what validates in the background; set by whoever makes the
        programs.
    """

    __slots__ = (
        "_answers",
        "_cache",
        "_engine",
        "_hosts",
        "_keys",
        "_rest",
        "_rules",
        "_seconds",
        "_status",
        "_store",
        "program",
    )

    def __init__(
        self,
        cache: Cache,
        engine: Engine,
        keys: KeyMaker,
        rules: CacheRules,
        hooked: bool,
    ) -> None:
        """
        @param hooked: whether components look at replies.
        """
        self._cache = cache
        self._engine = engine
        self._keys = keys
        self._rules = rules
        self._store = cache.store
        self._seconds: Callable[[], float] = engine.seconds
        self._answers = Answers(engine, cache.heads, hooked)
        self._status = CacheStatus(engine.pseudonym)
        self._rest = restProgram(engine)
        self._hosts: dict[bytes, tuple[str, int | None]] = {}
        self.program: Program | None = None

    # request -> hit

    def lookup(self, exchange: Exchange) -> Any:
        """
        Answer from the store, wait for who fetches the same, or send the request on.

        Parks an exchange that waits.
        """
        request = exchange.request
        assert request is not None
        now = self._seconds()
        fields = request.fields
        index = fields.index
        method = request.method
        if method != b"GET" and method != b"HEAD":
            self._visit(exchange, METHOD, now)
            return None
        if request.framing != NO_BODY or not ORIGINS_PRECONDITIONS.isdisjoint(index):
            self._visit(exchange, BYPASS, now)
            return None
        target = self._targetOf(exchange)
        key = self._keys.make(target.scheme, target.host, target.port, target.path, fields)
        demand = ORDINARY
        if b"cache-control" in index or b"pragma" in index:
            demand = readDemand(fields)
        shelf: Shelf | None = self._store.find(key)
        entries = () if shelf is None else shelf.entries
        entry: Entry | None = None
        if entries:
            entry = self._select(entries, fields)
            if entry is not None:
                record: Record = entry.verdict
                if entry.expires < record.freshness.freshUntil:
                    # Purged softly.
                    record.freshness.expire(entry.expires)
                verdict = judge(record.freshness, demand, now)
                before: Visit | None = exchange.visit
                if (
                    before is not None
                    and before.failed
                    and mayReplaceError(record.freshness, demand, now)
                ):
                    verdict = FRESH
                if verdict < TOO_STALE:
                    self._hit(exchange, entry, record, now)
                    if verdict == STALE_WHILE:
                        self._validateLater(exchange, entry, key, target)
                    return DELIVER
                if verdict == REFUSED:
                    reason = REQUEST
                else:
                    reason = STALE
            else:
                reason = VARY_MISS
        else:
            reason = URI_MISS
        if demand.onlyIfCached:
            return self._unavailable()
        visit = self._visit(exchange, reason, now)
        visit.key = key
        visit.target = target
        visit.demand = demand
        if entry is not None:
            visit.entries = self._candidates(entries, entry)
        return self._lead(exchange, visit, shelf, now)

    def _visit(self, exchange: Exchange, reason: bytes, now: float) -> Visit:
        visit = Visit(reason, now)
        before: Visit | None = exchange.visit
        if before is not None:
            visit.collapsed = before.collapsed
        exchange.visit = visit
        return visit

    def _targetOf(self, exchange: Exchange) -> Target:
        """Find the target URI of a request (RFC 9110 §7.1)."""
        target = exchange.target
        request = exchange.request
        assert request is not None
        if target is None:
            scheme = "https" if exchange.secure else "http"
            host, port = "", None
            if request.host is not None:
                known = self._hosts.get(request.host)
                if known is None:
                    if len(self._hosts) >= _HOSTS:
                        self._hosts.clear()
                    known = self._hosts[request.host] = parseAuthority(request.host)
                host, port = known
            if port is None:
                port = 443 if exchange.secure else 80
            target = Target(scheme, host, port, request.target, request.host or b"")
        return target

    @staticmethod
    def _select(entries: tuple[Entry, ...], fields: Fields) -> Entry | None:
        """Choose the most recent response that fits a request (RFC 9111 §4.1)."""
        first = entries[0]
        if not first.vary and not first.variant:
            return first
        best: Entry | None = None
        vary: tuple[bytes, ...] | None = None
        secondary = b""
        for entry in entries:
            if entry.vary != vary:
                vary = entry.vary
                secondary = secondaryKey(vary, fields)
            if entry.variant == secondary and (
                best is None or entry.verdict.freshness.date > best.verdict.freshness.date
            ):
                best = entry
        return best

    @staticmethod
    def _candidates(entries: tuple[Entry, ...], first: Entry) -> list[Entry]:
        """List what a validation may find to be current, the best first."""
        return [first, *[each for each in entries if each is not first and each.vary == first.vary]]

    def _hit(self, exchange: Exchange, entry: Entry, record: Record, now: float) -> None:
        self._cache.hits += 1
        self._store.used(entry)
        member = self._status.hit(record.freshness.ttl(now))
        visit: Visit | None = exchange.visit
        if visit is not None:
            exchange.visit = None
            if visit.collapsed:
                member = self._status.forwarded(URI_MISS, stored=True, collapsed=True)
        self._answers.give(exchange, entry, now, member)

    def _unavailable(self) -> Reply:
        """Answer C{only-if-cached} (RFC 9111 §5.2.1.7)."""
        member = self._status.forwarded(URI_MISS, detail=b"only-if-cached")
        member = member.replace(b"; fwd=uri-miss", b"")
        return Reply(504, Fields.fromPairs([(b"Cache-Status", member)]))

    # miss -> fetch

    def _lead(self, exchange: Exchange, visit: Visit, shelf: Shelf | None, now: float) -> Any:
        """Fetch, or wait for who does."""
        self._cache.misses += 1
        demand = visit.demand
        request = exchange.request
        assert request is not None
        if shelf is not None and shelf.passUntil > now:
            visit.shelf = shelf
            return None
        if demand.noCache or demand.noStore or b"range" in request.fields.index:
            # It wants its own answer, or does not bring one that others can use.
            return None
        if shelf is None:
            shelf = self._store.shelf(visit.key)
        visit.shelf = shelf
        fetch: Fetch | None = shelf.fetch
        if fetch is None:
            visit.fetch = shelf.fetch = Fetch(exchange)
            return None
        if visit.collapsed:
            # It has waited once, in vain.
            return None
        visit.collapsed = True
        self._cache.collapsed += 1
        fetch.followers[exchange] = None
        exchange.waiting = _Following(fetch, exchange)
        return PARKED

    def condition(self, exchange: Exchange) -> None:
        """
        Make the request one whose answer can be stored, or that validates.

        The target goes on in the form that the key has.
        """
        visit: Visit | None = exchange.visit
        forward = exchange.forward
        if visit is None or forward is None or not visit.key:
            return
        forward.target = normaliseTarget(forward.target)
        visit.requested = self._seconds()
        visit.validating = False
        fields = forward.fields
        if visit.entries and b"range" not in fields.index:
            conditional = validationFields(
                fields, [self._answers.validators(each) for each in visit.entries]
            )
            if conditional is not None:
                forward.fields = conditional
                visit.validating = True
                return
        if visit.fetch is not None and isConditional(fields):
            # Others can't use a 304 to what this client has.
            forward.fields = fields.without(PRECONDITIONS)

    # response -> store

    def admit(self, exchange: Exchange) -> Any:
        """Store the response, update what is stored by it, or let it pass."""
        visit: Visit | None = exchange.visit
        if visit is None:
            return
        response = exchange.response
        request = exchange.request
        assert response is not None
        assert request is not None
        now = self._seconds()
        if visit.reason is METHOD:
            self._invalidate(exchange, response.status, response.fields)
            return
        if not visit.key:
            return
        status = response.status
        if visit.validating and status == 304:
            self._validated(exchange, visit, now)
            return
        if status in ERRORS and visit.entries:
            entry = visit.entries[0]
            if self._mayStandIn(visit, entry, now):
                self._giveStale(exchange, visit, entry, now, status)
                return
        if status == 304 and not isConditional(request.fields):
            raise ResponseInvalid("a 304 to a request without preconditions")
        control = readControl(response.fields, self._rules)
        if request.method == b"HEAD":
            self._headOf(visit, response.status, response.fields, response.length, now)
            self._resolve(visit)
            return
        reason = whyNotStored(
            request.method, request.fields, status, response.fields, control, self._rules
        )
        length = response.framing if response.framing >= 0 else None
        if reason is None and length is not None and length > self._cache.maxObjectOctets:
            reason = "too large"
        if reason is not None or not self._put(exchange, visit, control, length, now):
            self._unstored(visit, status, now)
        self._resolve(visit)

    def _put(
        self, exchange: Exchange, visit: Visit, control: Any, length: int | None, now: float
    ) -> bool:
        """Store a response; from here on its client reads it from the store."""
        response = exchange.response
        reply = exchange.reply
        request = exchange.request
        assert response is not None
        assert reply is not None
        assert request is not None
        fields = storedFields(reply.fields, control, now)
        freshness = evaluate(
            response.status, response.fields, control, self._rules, visit.requested, now
        )
        if (
            freshness.freshUntil <= now
            and _OUTLIVING.isdisjoint(control.directives)
            and not readValidators(fields, now).exist
        ):
            # Nobody could ever use it: it must not make others wait.
            return False
        fields = fields.without(_AGE)
        vary = parseVary(response.fields.get(b"vary")) or ()
        body = Body() if response.framing != NO_BODY else Body.of(b"")
        entry = Entry(
            visit.key,
            response.status,
            response.reason,
            fields,
            body,
            now,
            freshness.freshUntil,
            Record(freshness, length, now),
            secondaryKey(vary, request.fields),
            vary,
            _tagsOf(response.fields),
        )
        if not self._store.add(entry):
            return False
        visit.stored = True
        if not body.complete:
            continueWith(Filling(self._store, entry), exchange, self._rest)
            if isinstance(exchange.downstream, Nobody):
                return True
            self._give(exchange, visit, entry, now, response.status)
        return True

    def _give(
        self, exchange: Exchange, visit: Visit, entry: Entry, now: float, status: int | None
    ) -> None:
        """Answer a request that was sent on with what is stored now."""
        self._answers.give(exchange, entry, now, self._member(visit, status, entry))
        visit.answered = True

    def _member(self, visit: Visit, status: int | None, entry: Entry | None) -> bytes:
        """Write what became of a request that was sent on."""
        ttl = None
        if entry is not None:
            record: Record = entry.verdict
            ttl = record.freshness.ttl(self._seconds())
        return self._status.forwarded(
            visit.reason, status, ttl=ttl, stored=visit.stored, collapsed=visit.collapsed
        )

    def _unstored(self, visit: Visit, status: int, now: float) -> None:
        """Nothing is stored: those who wait go on at once, and others don't wait."""
        shelf = visit.shelf
        if shelf is not None and visit.fetch is not None and status not in ERRORS:
            shelf.passUntil = now + PASS_SECONDS
        if status not in ERRORS:
            # It was the current response, and is not any more (RFC 9111 §4).
            for entry in visit.entries[:1]:
                self._store.remove(entry)

    def _validated(self, exchange: Exchange, visit: Visit, now: float) -> None:
        """A 304: update what it is about, and answer with that (RFC 9111 §4.3.4)."""
        response = exchange.response
        request = exchange.request
        assert response is not None
        assert request is not None
        stored = [self._answers.validators(each) for each in visit.entries]
        found = validated(stored, readValidators(response.fields, now))
        if not found:
            if isConditional(request.fields):
                # It is about what the client has.
                self._resolve(visit)
                return
            raise ResponseInvalid("a 304 about something else")
        entry = visit.entries[found[0]]
        if entry.body.error is not None:
            raise ResponseInvalid("a 304 about what could not be fetched")
        fresh = self._freshen(entry, response.fields, visit.requested, now)
        visit.stored = fresh is not None
        # What the 304 itself brings is nothing, but its connection is good.
        continueWith(Nobody(), exchange, self._rest)
        self._resolve(visit)
        if isinstance(exchange.downstream, Nobody):
            return
        self._give(exchange, visit, entry if fresh is None else fresh, now, 304)

    def _freshen(self, entry: Entry, new: Fields, requested: float, now: float) -> Entry | None:
        """
        Merge newer fields into an entry (RFC 9111 §3.2).

        @return: the entry that took its place; None if it may not be stored any
            more.
        """
        control = readControl(new, self._rules)
        fields = updated(
            self._cache.heads.fieldsOf(entry), new, now, unstoredNames(control.directives)
        )
        control = readControl(fields, self._rules)
        if whyNotStored(b"GET", _NO_FIELDS, entry.status, fields, control, self._rules) is not None:
            self._store.remove(entry)
            return None
        record: Record = entry.verdict
        freshness = evaluate(entry.status, fields, control, self._rules, requested, now)
        fresh = Entry(
            entry.key,
            entry.status,
            entry.reason,
            fields,
            entry.body,
            now,
            freshness.freshUntil,
            Record(freshness, record.length, now),
            entry.variant,
            entry.vary,
            entry.tags,
        )
        fresh.uses = entry.uses
        source = entry.body.source
        if source is not None:
            # Still on its way: it grows for the new one.
            source.follow(fresh)
        return fresh if self._store.add(fresh) else None

    def _headOf(
        self, visit: Visit, status: int, fields: Fields, length: int | None, now: float
    ) -> None:
        """A HEAD tells what a GET would have got (RFC 9111 §4.3.5)."""
        if status != 200 or not visit.entries:
            return
        entry = visit.entries[0]
        if entry.status != 200:
            return
        new = readValidators(fields, now)
        stored = self._answers.validators(entry)
        if headMatches(stored, self._answers.lengthOf(entry), new, length):
            self._freshen(entry, fields, visit.requested, now)
        else:
            record: Record = entry.verdict
            record.freshness.expire(now)
            entry.expires = min(entry.expires, now)

    def _invalidate(self, exchange: Exchange, status: int, fields: Fields) -> None:
        """Forget what an unsafe method may have changed (RFC 9111 §4.4)."""
        request = exchange.request
        assert request is not None
        for target in invalidTargets(request.method, self._targetOf(exchange), status, fields):
            key = self._keys.make(
                target.scheme, target.host, target.port, target.path, request.fields
            )
            shelf = self._store.find(key)
            if shelf is not None:
                for entry in shelf.entries:
                    self._store.remove(entry)

    # stale

    def _mayStandIn(self, visit: Visit, entry: Entry, now: float) -> bool:
        """Whether an entry may be used as its origin fails (RFC 5861 §4)."""
        record: Record = entry.verdict
        return entry.body.error is None and mayReplaceError(record.freshness, visit.demand, now)

    def _giveStale(
        self, exchange: Exchange, visit: Visit, entry: Entry, now: float, status: int | None
    ) -> None:
        if exchange.lease is not None:
            # The content of an error that nobody will see.
            lease, exchange.lease = exchange.lease, None
            lease.release()
        if visit.fetch is not None:
            for follower in visit.fetch.followers:
                waiting: Visit = follower.visit
                waiting.failed = True
        self._resolve(visit)
        if not isinstance(exchange.downstream, Nobody):
            self._give(exchange, visit, entry, now, status)

    def annotate(self, exchange: Exchange) -> None:
        """
        Say in C{Cache-Status} what became of the request (RFC 9211).

        Where the origin failed, a stale response may stand in for the error.
        """
        visit: Visit | None = exchange.visit
        reply = exchange.reply
        if visit is None or visit.answered or reply is None:
            return
        if exchange.response is None and visit.entries and exchange.error is not None:
            now = self._seconds()
            entry = visit.entries[0]
            if self._mayStandIn(visit, entry, now):
                self._giveStale(exchange, visit, entry, now, None)
                return
        status = None if exchange.response is None else exchange.response.status
        reply.more = b"Cache-Status: %b\r\n" % self._member(
            visit, None if status == reply.status else status, None
        )

    def _validateLater(self, exchange: Exchange, entry: Entry, key: bytes, target: Target) -> None:
        """Validate an entry for those who come next (RFC 5861 §3)."""
        shelf = self._store.shelf(key)
        request = exchange.request
        program = self.program
        if shelf.fetch is not None or program is None or self._cache.background >= BACKGROUND:
            return
        assert request is not None
        head = RequestHead(
            b"GET",
            request.target,
            11,
            request.fields.without(PRECONDITIONS | _RANGE),
            host=request.host,
        )
        now = self._seconds()
        client = Nobody()
        later = Exchange(exchange.front, client, head, exchange.peerHost, now)
        client.exchange = later
        later.target = exchange.target
        later.secure = exchange.secure
        later.origin = exchange.origin
        later.requestEnded = True
        visit = later.visit = Visit(STALE, now)
        visit.key = key
        visit.target = target
        visit.shelf = shelf
        visit.entries = self._candidates(shelf.entries, entry)
        visit.fetch = shelf.fetch = Fetch(later)
        self._cache.background += 1
        self._engine.run(later, program, program.fetch)

    # end

    def _resolve(self, visit: Visit) -> None:
        """The answer is known: whoever waits for it looks again."""
        fetch, visit.fetch = visit.fetch, None
        shelf = visit.shelf
        if fetch is None or shelf is None:
            return
        shelf.fetch = None
        followers = list(fetch.followers)
        fetch.followers.clear()
        for follower in followers:
            self._engine.again(follower)
        self._store.tidy(shelf)

    def settle(self, exchange: Exchange) -> None:
        """An exchange that leads a fetch has ended before there was an answer."""
        visit: Visit | None = exchange.visit
        if isinstance(exchange.downstream, Nobody):
            self._cache.background -= 1
        if visit is None or visit.fetch is None:
            return
        fetch, shelf = visit.fetch, visit.shelf
        error = exchange.error
        visit.fetch = None
        assert shelf is not None
        shelf.fetch = None
        followers = list(fetch.followers)
        fetch.followers.clear()
        if (
            error is None
            or isinstance(error, ClientGone)
            or not isinstance(error, IntermediaryError)
        ):
            # Not the origin's fault: the first of them fetches, for the others.
            for follower in followers:
                visit = follower.visit
                assert visit is not None
                visit.collapsed = False
                self._engine.again(follower)
        else:
            for follower in followers:
                self._engine.fail(follower, error)
        self._store.tidy(shelf)


_NO_FIELDS: Final = Fields([])
_RANGE: Final = frozenset({b"range", b"if-range"})


def _tagsOf(fields: Fields) -> tuple[bytes, ...]:
    """Read by which names a response can be purged."""
    index = fields.index
    tags: list[bytes] = []
    for name in _TAG_FIELDS:
        value = index.get(name)
        if value is not None:
            tags += value.replace(b",", b" ").split()
    return tuple(dict.fromkeys(tags[:_MOST_TAGS]))


__all__ = ["Cache", "RouteCache"]
