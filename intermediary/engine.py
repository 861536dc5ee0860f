# -*- test-case-name: tests.test_engine,tests.test_attempts,tests.test_hooks,tests.test_jumps,tests.test_mistakes -*-
"""
The engine drives exchanges through their programs.

It holds the steps that every program needs, and it alone jumps: to C{deliver}
with a reply, to C{fetch} for another attempt, to C{finish} when all is said.
No sockets and no policy in here: connections are L{IDownstream
<intermediary.interfaces.IDownstream>} and L{ILease
<intermediary.interfaces.ILease>}, decisions are steps and the front's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .errors import IntermediaryError, Retry, forgetFrames
from .exchange import ForwardHead, Reply
from .program import DELIVER, FETCH, PARKED, REFETCH
from .wire.dates import DateFormatter
from .wire.encoding import REASONS, encodeRequest, encodeResponse
from .wire.forwarding import deriveRequest, deriveResponse
from .wire.message import CHUNKED, NO_BODY, UNTIL_CLOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .exchange import Exchange
    from .interfaces import ILease, IPool
    from .program import Program
    from .wire.message import ResponseHead

#: RFC 9110 §9.2.2: a client may repeat these without asking.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

#: What frames a message is written where it is encoded, and nowhere else.
FRAMING = frozenset((b"connection", b"content-length", b"transfer-encoding"))

#: Replies that may be chosen for one exchange, one after the other.
MOST_ANSWERS = 4

#: How often a hook may await something more while it is being cancelled.
MOST_CLEANING = 8

#: Attempts for one exchange, the first included.
ATTEMPTS = 2


class Engine:
    """
    Runs programs; one serves any number of fronts that share a pool.

    @ivar seconds: the clock.
    """

    log = Logger()

    def __init__(self, pool: IPool, seconds: Callable[[], float], pseudonym: bytes) -> None:
        """
        @param pseudonym: how this intermediary calls itself in C{Via}.
        """
        self.pool = pool
        self.seconds = seconds
        self.pseudonym = pseudonym
        self._dates = DateFormatter()
        # Made once: they go with every request to the pool.
        self._ready: Callable[[Exchange, ILease], None] = self.leased
        self._failed: Callable[[Exchange, IntermediaryError], None] = self.fail

    def date(self) -> bytes:
        """Spell the time for C{Date} (RFC 9110 §5.6.7)."""
        return self._dates.format(self.seconds())

    # Driving

    def begin(self, exchange: Exchange) -> None:
        """Choose a program for a new exchange and run it."""
        try:
            exchange.program = exchange.front.route(exchange)
        except Exception as error:  # noqa: BLE001 - an exchange enters the code of a route here
            self.fail(exchange, error)
        else:
            self._run(exchange)

    def proceed(self, exchange: Exchange) -> None:
        """
        Go on with an exchange whose step had parked.

        Does nothing if the exchange is over.
        """
        exchange.waiting = None
        if exchange.running:
            exchange.woken = True
        elif not exchange.over:
            self._run(exchange)

    def fail(self, exchange: Exchange, error: BaseException) -> None:
        """
        End what the exchange is doing.

        It is tried again, answered with an error, or cut off, by what it has
        come to.  Does nothing if the exchange is in its last steps.
        """
        if exchange.finishing:
            return
        self._stopWaiting(exchange)
        if exchange.running:
            exchange.failure = error
            exchange.woken = True
            return
        self._divert(exchange, error)
        self._run(exchange)

    def finish(self, exchange: Exchange) -> None:
        """Jump to the last steps: all that a parked step was about is done."""
        if exchange.running:
            exchange.failure = _Finished()
            exchange.woken = True
        elif not exchange.finishing:
            exchange.index = exchange.program.finish
            self._run(exchange)

    def again(self, exchange: Exchange) -> None:
        """Look a parked exchange's request up once more; nothing was fetched for it yet."""
        exchange.waiting = None
        if not exchange.finishing:
            exchange.index = exchange.program.lookup
            self._run(exchange)

    def run(self, exchange: Exchange, program: Program, index: int) -> None:
        """
        Run an exchange that has no client of its own.

        @param index: where in the program to begin.
        """
        exchange.program = program
        exchange.index = index
        self._run(exchange)

    def _run(self, exchange: Exchange) -> None:
        """
        Run the program from C{exchange.index} until a step parks.

        The index is kept here while it runs, and in the exchange otherwise.  A step
        that makes the engine jump may have chosen another program before.
        """
        steps = exchange.program.steps
        index = exchange.index
        exchange.running = True
        while True:
            try:
                outcome = steps[index](exchange)
            except BaseException as error:  # noqa: BLE001 - an exchange enters a step's code here
                exchange.index = index + 1
                self._raised(exchange, error)
                outcome = None
                if exchange.index == len(steps):
                    # It was the last one: nobody else lets the client go.
                    exchange.over = True
                    exchange.running = False
                    exchange.downstream.abort()
                    return
            else:
                index += 1
                if outcome is None:
                    continue
                exchange.index = index
                if outcome is not PARKED:
                    try:
                        outcome = self._settle(exchange, outcome)
                    except BaseException as error:  # noqa: BLE001 - and here, where it is a coroutine
                        self._raised(exchange, error)
                        outcome = None
                    steps = exchange.program.steps
            if outcome is PARKED:
                if not exchange.woken:
                    exchange.running = False
                    return
                self._heed(exchange)
            index = exchange.index

    def _heed(self, exchange: Exchange) -> None:
        """Do what was asked for while the engine was inside the program."""
        exchange.woken = False
        failure, exchange.failure = exchange.failure, None
        if failure is not None:
            # The step may have begun to wait since.
            self._stopWaiting(exchange)
            self._divert(exchange, failure)

    def _stopWaiting(self, exchange: Exchange) -> None:
        waiting, exchange.waiting = exchange.waiting, None
        if waiting is not None:
            try:
                waiting.cancel()
            except Exception:  # noqa: BLE001 - what a hook waits for has code of its own
                self.log.failure("{exchange!r} could not stop waiting", exchange=exchange)

    def _raised(self, exchange: Exchange, error: BaseException) -> None:
        """
        The step before C{exchange.index} raised.

        Whatever it was, even what is no C{Exception} to Python (as C{asyncio}'s
        cancellation), it ends this exchange and no other.
        """
        if isinstance(error, KeyboardInterrupt | SystemExit):
            exchange.running = False
            raise error
        if exchange.index > exchange.program.finish:
            self.log.failure("A last step of {exchange!r} failed", exchange=exchange)
        else:
            self._divert(exchange, error)

    def _settle(self, exchange: Exchange, outcome: Any) -> Any:
        """Turn what a step returned into None (go on) or C{PARKED}."""
        if outcome is DELIVER:
            exchange.index = exchange.program.deliver
            return None
        if outcome is FETCH:
            exchange.index = exchange.program.fetch
            return None
        if outcome is REFETCH:
            self._dropLease(exchange)
            exchange.response = exchange.reply = None
            exchange.candidates = None
            exchange.index = exchange.program.fetch
            return None
        if isinstance(outcome, Reply):
            self._answer(exchange, outcome)
            return None
        if isinstance(outcome, Deferred):
            return self._await(exchange, outcome, None)
        if hasattr(outcome, "send"):
            return self._drive(exchange, outcome, None)
        raise TypeError(f"a step returned {outcome!r}")

    def _drive(self, exchange: Exchange, coroutine: Coroutine[Any, Any, Any], value: Any) -> Any:
        """
        Advance a coroutine until it waits.

        One that never waits costs no Deferred.
        """
        try:
            if isinstance(value, Failure):
                awaited = value.throwExceptionIntoGenerator(coroutine)
            else:
                awaited = coroutine.send(value)
        except StopIteration as stop:
            result = stop.value
            return result if result is None or result is PARKED else self._settle(exchange, result)
        return self._await(exchange, awaited, coroutine)

    def _await(
        self,
        exchange: Exchange,
        deferred: Deferred[Any],
        coroutine: Coroutine[Any, Any, Any] | None,
    ) -> Any:
        """Park until a Deferred fires, then go on with the coroutine, if any."""
        waiting = exchange.waiting = _Waiting(deferred)

        def fired(result: Any) -> None:
            if exchange.waiting is not waiting:
                # The exchange failed meanwhile, and nobody wants the result.
                self._unwind(exchange, coroutine, result)
                return
            exchange.waiting = None
            # Whatever this calls must not run the exchange a second time.
            exchange.running = True
            try:
                if coroutine is not None:
                    outcome = self._drive(exchange, coroutine, result)
                elif isinstance(result, Failure):
                    result.raiseException()
                else:
                    outcome = result if result is None else self._settle(exchange, result)
            except BaseException as error:  # noqa: BLE001 - the rest of a step's code ran in here
                self._raised(exchange, error)
                outcome = None
            if exchange.woken:
                self._heed(exchange)
                outcome = None
            exchange.running = False
            if outcome is None:
                self._run(exchange)

        if deferred.called and not deferred.paused and coroutine is None:
            # Known already: the step need not park.
            known: Any = deferred.result
            if not isinstance(known, Deferred):
                deferred.addErrback(lambda failure: None)
                exchange.waiting = None
                if isinstance(known, Failure):
                    known.raiseException()
                return known if known is None else self._settle(exchange, known)
        deferred.addBoth(fired)
        return PARKED

    def _unwind(
        self, exchange: Exchange, coroutine: Coroutine[Any, Any, Any] | None, result: Any
    ) -> None:
        """
        Let a coroutine clean up whose exchange has failed.

        It hears what became of what it awaited, which was cancelled, and what
        it awaits from then on is cancelled at once.
        """
        if coroutine is None:
            return
        for _ in range(MOST_CLEANING):
            try:
                if isinstance(result, Failure):
                    awaited = result.throwExceptionIntoGenerator(coroutine)
                else:
                    awaited = coroutine.send(result)
            except (StopIteration, CancelledError):
                return
            except BaseException:  # noqa: BLE001 - of a hook, and about nobody's exchange any more
                self.log.failure("A hook of {exchange!r} failed", exchange=exchange)
                return
            awaited.cancel()
            # A cancelled Deferred has fired, or fires when it likes; the hook
            # does not get to wait for it.
            awaited.addErrback(lambda failure: None)
            result = Failure(CancelledError())
        self.log.error("A hook of {exchange!r} does not end", exchange=exchange)

    # Jumping

    def _divert(self, exchange: Exchange, error: BaseException) -> None:
        """Point a failed exchange at the step that is next for it."""
        if isinstance(error, _Finished):
            exchange.index = exchange.program.finish
            return
        if not isinstance(error, IntermediaryError):
            self.log.failure(
                "{exchange!r} failed",
                failure=Failure(error),
                exchange=exchange,
            )
            error = IntermediaryError(repr(error))
        forgetFrames(error)
        reused = exchange.lease is not None and exchange.lease.reused
        self._dropLease(exchange)
        exchange.error = error
        downstream = exchange.downstream
        if (
            downstream.connected
            and not exchange.headSent
            and self._mayRetry(exchange, error, reused)
        ):
            exchange.response = exchange.reply = None
            exchange.index = exchange.program.fetch
            return
        exchange.outcome = error.token
        if not downstream.connected:
            exchange.index = exchange.program.finish
        elif exchange.headSent:
            downstream.fail(error)
            exchange.index = exchange.program.finish
        else:
            try:
                self._answer(exchange, exchange.front.answer(exchange, error))
            except Exception:  # noqa: BLE001 - the wording of an error is the front's code
                self.log.failure("No reply for {exchange!r}", exchange=exchange)
                downstream.abort()
                exchange.index = exchange.program.finish

    def _mayRetry(self, exchange: Exchange, error: IntermediaryError, reused: bool) -> bool:
        """RFC 9112 §9.3.1 and RFC 9110 §9.2.2, and never more than once."""
        if exchange.requestTaken or not 0 < exchange.attempts < ATTEMPTS:
            return False
        if error.retry is Retry.ALWAYS:
            return exchange.candidates is not None
        return (
            error.retry is Retry.IF_REUSED
            and reused
            and exchange.request is not None
            and exchange.request.method in IDEMPOTENT
        )

    def _answer(self, exchange: Exchange, reply: Reply) -> None:
        """
        Choose a reply of ours, and jump to its delivery.

        The hooks of C{deliver} see the first one.  If they fail, or answer
        themselves, what comes of that is sent as it is: they would go on for
        ever.
        """
        request = exchange.request
        if exchange.headSent or exchange.finishing:
            raise RuntimeError("it is too late for a reply")
        if request is not None and request.method == b"CONNECT" and reply.status // 100 == 2:
            raise RuntimeError("a 2xx to CONNECT that opens no tunnel")
        if exchange.answers > MOST_ANSWERS:
            raise RuntimeError("no reply can be sent")
        self._dropLease(exchange)
        reply.fields = reply.fields.without(FRAMING).setting(b"Date", self.date())
        exchange.reply = reply
        program = exchange.program
        exchange.index = program.finish - 1 if exchange.answers else program.deliver
        exchange.answers += 1

    def _dropLease(self, exchange: Exchange) -> None:
        lease, exchange.lease = exchange.lease, None
        if lease is not None:
            exchange.downstream.holdRequest()
            lease.release()

    # What connections report

    def leased(self, exchange: Exchange, lease: ILease) -> None:
        """The pool has a connection for a parked exchange."""
        exchange.lease = lease
        self.proceed(exchange)

    def interim(self, exchange: Exchange, head: ResponseHead) -> None:
        """
        Pass a 1xx response on (RFC 9110 §15.2).

        A client of HTTP/1.0 does not know them.
        """
        request = exchange.request
        if request is None or request.version < 11 or exchange.headSent:
            return
        fields = deriveResponse(head.fields, head.version, self.pseudonym)
        exchange.downstream.sendInterim(
            encodeResponse(head.status, head.reason, fields, None, None)
        )

    def responded(self, exchange: Exchange, head: ResponseHead) -> None:
        """A final response head has arrived."""
        exchange.response = head
        self.proceed(exchange)

    # Steps

    def derive(self, exchange: Exchange) -> None:
        """
        Derive the head to forward: without hop-by-hop fields, with C{Via}.

        Clients repeat their fields, and readers then give the same object
        again: what was derived from it is kept on it.
        """
        request = exchange.request
        assert request is not None
        fields = request.fields
        memo = fields.derived
        if memo is None or memo[0] is not self or memo[1] != request.version:
            derived = deriveRequest(fields, request.version, self.pseudonym)
            memo = fields.derived = (self, request.version, derived)
        derived = memo[2]
        framing: int | None = request.framing
        if framing == NO_BODY and b"content-length" not in fields.index:
            framing = None
        target = request.target
        absolute = exchange.target
        if absolute is not None:
            # RFC 9112 §3.2.2: the target's authority replaces the field.
            target = absolute.path
            if derived.get(b"host") != absolute.authority:
                derived = derived.setting(b"Host", absolute.authority)
        exchange.forward = ForwardHead(request.method, target, derived, framing)

    def connect(self, exchange: Exchange) -> Any:
        """Borrow a connection to the origin; parks where none is idle."""
        exchange.attempts += 1
        lease = self.pool.acquire(exchange, self._ready, self._failed)
        if lease is None:
            return PARKED
        exchange.lease = lease
        return None

    def send(self, exchange: Exchange) -> Any:
        """Send the request and park until a response head has arrived."""
        forward = exchange.forward
        lease = exchange.lease
        assert forward is not None
        assert lease is not None
        framing = forward.framing
        complete = framing is None or framing == NO_BODY
        lease.send(
            encodeRequest(forward.method, forward.target, forward.fields, framing),
            forward.method,
            complete,
        )
        if not complete:
            exchange.downstream.feedRequest(lease)
        return PARKED

    def receive(self, exchange: Exchange) -> None:
        """
        Derive the reply from the response: no hop-by-hop fields, C{Via}.

        RFC 9110 §6.6.1: a response without a date gets one.  What is derived is
        kept as in L{derive}.
        """
        response = exchange.response
        assert response is not None
        received = response.fields
        memo = received.derived
        if memo is None or memo[0] is not self or memo[1] != response.version:
            derived = deriveResponse(received, response.version, self.pseudonym)
            memo = received.derived = (self, response.version, derived)
        fields = memo[2]
        if b"date" not in received.index:
            fields = fields.adding((b"Date", self.date()))
        exchange.reply = Reply(
            response.status,
            fields,
            None,
            response.framing,
            response.reason,
        )

    def sendHead(self, exchange: Exchange) -> Any:
        """
        Send the reply's head and let its content flow; parks until that ended.

        RFC 9112 §6.3: a client of HTTP/1.0 gets content of unknown length
        until the connection closes, one of 1.1 gets it chunked.
        """
        reply = exchange.reply
        request = exchange.request
        assert reply is not None
        downstream = exchange.downstream
        status = reply.status
        framing = content = reply.framing
        field: int | None = framing
        if request is None:
            keep, modern, head = False, True, False
        else:
            keep = request.keepAlive and exchange.requestEnded and not downstream.draining
            modern = request.version >= 11
            if not modern and not exchange.front.keepsOld:
                keep = False
            if request.method == b"CONNECT":
                # What follows was meant for the tunnel: it is no request.
                keep = False
            head = request.method == b"HEAD"
        if head or status == 304 or status == 204:
            # A length here tells what a GET would get; a 204 has none at all.
            content = NO_BODY
            field = None if status == 204 else self._toldLength(exchange, reply)
        elif framing < 0:
            if modern:
                content = field = CHUNKED
            else:
                content, field, keep = UNTIL_CLOSE, None, False
        connection = None
        if not keep:
            connection = b"close"
        elif not modern:
            connection = b"keep-alive"
        reason = reply.reason
        if reason is None:
            reason = REASONS.get(status, b"")
        # A reply that can't be written has not begun: another may take its place.
        octets = encodeResponse(status, reason, reply.fields, field, connection, reply.more)
        lease = exchange.lease
        exchange.headSent = True
        exchange.status = status
        downstream.keepAlive = keep
        downstream.sendHead(octets, content, lease)
        if lease is not None:
            lease.openBody()
            return PARKED
        if content:
            if reply.part is not None:
                downstream.endWith(reply.part)
                return PARKED
            if reply.body:
                downstream.write(reply.body)
        downstream.end(None)
        return PARKED

    @staticmethod
    def _toldLength(exchange: Exchange, reply: Reply) -> int | None:
        """Find the length of the content that is not sent (RFC 9110 §8.6)."""
        if exchange.response is not None and reply.body is None and exchange.lease is not None:
            # Without a lease it is something stored that stands in for the response.
            return exchange.response.length
        return reply.framing if reply.status != 304 and reply.framing >= 0 else None

    def release(self, exchange: Exchange) -> None:
        """Close the account: no more octets move for this exchange."""
        exchange.finishing = True
        exchange.ended = self.seconds()
        if not exchange.requestEnded:
            exchange.downstream.holdRequest()
        lease = exchange.lease
        if lease is not None:
            exchange.lease = None
            lease.release()

    def end(self, exchange: Exchange) -> Any:
        """Let the client's connection go on; the exchange is over."""
        exchange.over = True
        exchange.downstream.exchangeEnded(exchange)
        return PARKED


class _Finished(Exception):
    """Not an error: a parked step was through before it had even parked."""


class _Waiting:
    """That an awaitable makes an exchange wait."""

    __slots__ = ("_deferred",)

    def __init__(self, deferred: Deferred[Any]) -> None:
        self._deferred = deferred

    def cancel(self) -> None:
        """Cancel what is awaited; whoever awaits it hears of that."""
        self._deferred.cancel()
