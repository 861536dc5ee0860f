# -*- test-case-name: tests.test_interfaces -*-
"""
The seams of L{intermediary}: what may be replaced, and what a replacement owes.

Implementations refer to these contracts instead of repeating them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IProtocolFactory

    from .errors import IntermediaryError
    from .exchange import Exchange


class Origin(NamedTuple):
    """
    Where an upstream connection leads: the key of the pool.

    Two exchanges may share a connection if and only if their origins are equal,
    so whatever distinguishes connections belongs in here.
    """

    scheme: str
    host: str
    port: int
    #: The L{IOriginTLS} it is reached by, by identity; None without TLS.
    tls: Any = None
    #: Parent proxy to go through; None for a direct connection.
    via: str | None = None
    #: The L{IDestinationGuard} it is dialled under, by identity: a connection
    #: that another guard let pass, or none, is no way round this one.
    guard: Any = None

    @property
    def tlsName(self) -> str | None:
        """The name or address that the server proves to be; None without TLS."""
        return None if self.tls is None else self.tls.name or self.host

    @property
    def authority(self) -> bytes:
        """What C{Host} says of it (RFC 9110 §7.2): the port only if it is unusual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        standard = 443 if self.scheme == "https" else 80
        return (host if self.port == standard else f"{host}:{self.port}").encode("ascii")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class IResolver(Interface):
    """Names to addresses; the seam that tests and policies replace."""

    def resolve(host: str, port: int) -> Deferred[list[tuple[int, str]]]:
        """
        Look up a host name; literal addresses never get here.

        @return: fires with C{(family, address)} pairs, C{family} being
            C{socket.AF_INET} or C{AF_INET6}, in order of preference; fails
            with L{DNSError<intermediary.errors.DNSError>} or C{DNSTimeout}.
            Cancelling it gives up.
        """


class IDestinationGuard(Interface):
    """
    Decides which addresses may be dialled.

    It may also have a method C{refuse(detail)} that makes the error for a
    destination none of whose addresses may be, instead of
    L{DestinationProhibited<intermediary.errors.DestinationProhibited>}.
    """

    def prohibits(host: str, address: str) -> str | None:
        """
        Ask whether a resolved address may not be reached.

        @param host: the name or literal that the client asked for.
        @param address: an IPv4 or IPv6 address, as text.
        @return: why not (C{"loopback"}, C{"private"}, ...), or None when it may.
        """


class IConnector(Interface):
    """Opens connections to destinations."""

    def connect(origin: Origin, factory: IProtocolFactory, timeoutSeconds: float) -> Deferred[Any]:
        """
        Connect to an origin.

        @param factory: its C{buildProtocol} is called once, for the connection
            that wins.  If it has a true C{ignoresAddress}, it may be called
            with None instead of an address.
        @param timeoutSeconds: for all of it, the TLS handshake included.
        @return: fires with that protocol, connected, with TLS where the origin has
            it; fails with the narrowest of the classes in L{intermediary.errors}:
            C{DNSError}, C{DNSTimeout}, C{DestinationProhibited},
            C{DestinationUnroutable}, C{ConnectionRefused}, C{ConnectTimeout},
            C{TLSProtocolError}, C{TLSCertificateError}, C{TLSAlertReceived}.
            Cancelling it closes every socket that it opened and fails it with
            C{CancelledError}.
        """


class IBodySink(Interface):
    """Where the content of one message goes, piece by piece."""

    def write(piece: bytes) -> None:
        """Take the next piece.  It may stay corked until C{flush} or C{end}."""

    def flush() -> None:
        """Send what is corked: no more comes in this turn."""

    def end(trailers: Any) -> None:
        """The content is complete; C{trailers} are L{Fields}, mostly empty."""

    def fail(error: IntermediaryError) -> None:
        """The content will never be complete."""


class IFilePart(Interface):
    """Content that is in a part of a file, which is in memory."""

    descriptor = Attribute("the file's, as long as this exists")
    start = Attribute("the first octet in the file")
    octets = Attribute("how many there are")

    def read(start: int, stop: int) -> bytes:
        """Copy some of it, as a slice; it does not wait."""


class IDownstream(IBodySink):
    """The client's connection, as the engine sees it."""

    connected = Attribute("whether the client can still be answered")
    draining = Attribute("whether the connection ends with the exchange under way")
    takesParts = Attribute("whether content can go by C{endWith}; known with the first request")
    keepAlive = Attribute("whether it may serve another one; the engine sets it")
    clientCertificate = Attribute(
        "the L{ClientCertificate<intermediary.clientcertificate.ClientCertificate>} that the "
        "client has shown and was verified, or None"
    )

    def sendInterim(octets: bytes) -> None:
        """Send an encoded 1xx head at once."""

    def sendHead(octets: bytes, framing: int, source: ILease | None) -> None:
        """
        Cork an encoded final head; the content follows by C{write} and C{end}.

        @param framing: how the content is framed: its length, C{CHUNKED} or
            C{UNTIL_CLOSE}.
        @param source: who feeds the content and is paused while the client
            does not keep up; None for content that is made here.
        """

    def spliceInto() -> Any:
        """
        Ask for the transport, to move the rest of the content into it directly.

        @return: None where the content has to go by C{write}: it is framed
            anew, or the client does not keep up.
        """

    def sendFile(descriptor: int, start: int, stop: int, bring: Any = None) -> bool:
        """
        Send octets of a file as the next of the content, by the kernel.

        What is corked leaves first.  As soon as all of it is with the kernel,
        and never before this has returned, L{IFileSource.fileSent} of the
        exchange's lease is called; until then nothing may be written.  A file
        that ends before C{stop}, or that can't be read, fails the exchange with
        L{ResponseIncomplete<intermediary.errors.ResponseIncomplete>}.

        @param descriptor: of the file; it stays the caller's, who closes it
            after C{fileSent} or C{release}: from then on it is not used.
        @param start: the first octet.
        @param stop: the octet after the last one.
        @param bring: has a portion that is not in memory read from the disk, for
            else everybody would wait for that.  It is called with the first octet,
            the one after the last, and what to call, once, when that was done or
            can't be, but never before this has returned; it returns an object
            with C{cancel()}, for when nobody waits for it any more.
        @return: whether that is being done.  If not, the content has to go by
            C{write}: the connection has TLS, or no socket, the content is
            chunked, or the system can't.
        """

    def endWith(part: IFilePart) -> None:
        """
        Send what is corked, all of a part of a file, and end.

        It is for content made here, where C{takesParts} is set.  The part has to exist
        until the exchange is over.
        """

    def feedRequest(sink: ILease) -> None:
        """Hand the content of the request to C{sink} as it arrives."""

    def holdRequest() -> None:
        """Its sink is gone: keep what arrives of the request for another one."""

    def pauseRequest(reason: str) -> None:
        """Stop reading the request's content, by a named reason."""

    def resumeRequest(reason: str) -> None:
        """Take that reason back."""

    def exchangeEnded(exchange: Exchange) -> None:
        """The program is through: go on with the next request, or close."""

    def abort() -> None:
        """Drop the connection, so that nobody takes what was sent for whole."""


class IBodySource(Interface):
    """Where the content of a response comes from."""

    reused = Attribute("whether it is a connection that has served an exchange before")

    def openBody() -> None:
        """
        The reply's head is sent: let the content of the response flow.

        Until then what arrives is held and the connection is not read.
        """

    def pauseBody(reason: str) -> None:
        """Bring no more of the response for now, by a named reason."""

    def resumeBody(reason: str) -> None:
        """Take that reason back."""

    def release() -> None:
        """
        The exchange wants no more of it.

        A connection is kept if both messages are complete and both sides allow
        it, and dropped otherwise.
        """


class IFileSource(IBodySource):
    """A source whose content is in files, for L{IDownstream.sendFile}."""

    def fileSent() -> None:
        """What was asked to be sent of a file is with the kernel, all of it."""


class ILease(IBodySink, IBodySource):
    """
    The right to run one exchange on a pooled connection.

    As a sink it takes the content of the request.
    """

    def send(octets: bytes, method: bytes, complete: bool) -> None:
        """
        Send an encoded request head.

        @param complete: no content follows.
        """

    def transfer(exchange: Exchange) -> None:
        """
        Let another exchange have the rest of the response.

        The request has been sent; its own exchange gets nothing more.
        """


class IPool(Interface):
    """Lends connections to origins."""

    def acquire(
        exchange: Exchange,
        ready: Callable[[Exchange, ILease], None],
        failed: Callable[[Exchange, IntermediaryError], None],
    ) -> ILease | None:
        """
        Borrow a connection to C{exchange.origin}.

        @return: the lease if there is one at once.  Otherwise None: then one of
            the callables is called, later, unless C{exchange.waiting}, which
            this sets, is cancelled first.
        @raise ConnectionLimitReached: too many wait already.
        """


class IAccessLog(Interface):
    """One record for every exchange, at its end."""

    def record(exchange: Exchange) -> None:
        """Note an exchange that has ended.  Must neither block nor raise."""


class IBalancer(Interface):
    """Chooses the order in which peers are tried."""

    def candidates(exchange: Exchange) -> Iterator[Any]:
        """
        Iterate over peers, best first, each at most once.

        Health is not its concern: the engine passes over peers that are not
        available.
        """


class IShelves(Interface):
    """
    Finds the L{Shelf<intermediary.policy.entries.Shelf>} of a key: all that is
    known under it.

    A store has it at hand, as nobody waits for its answers.  What has to ask elsewhere
    is an L{ICacheTier}, behind the memory
    (L{Tiers<intermediary.policy.tiers.Tiers>}).
    """

    def find(key: bytes) -> Any:
        """
        Look up a shelf.

        @return: it, or None if there is none; of an L{ICacheTier}, an awaitable of these.
        """

    def shelf(key: bytes) -> Any:
        """
        Look up a shelf, and make it if there is none.

        One without entries is forgotten when there are too many of them, though
        not while its C{fetch} is set, and one without marks with the next that is
        made.

        @return: it.  Nobody asks an L{ICacheTier}.
        """

    def tidy(shelf: Any) -> None:
        """Forget a shelf if there is neither an entry nor a mark on it any more."""


class IPurgeable(Interface):
    """Something that entries can be purged from: a store, or all of its tiers."""

    def purge(what: Any, soft: bool = False) -> Deferred[int] | int:
        """
        Remove entries, or make them stale.

        What is stored after it began is none of its business.

        @param what: a L{Purge<intermediary.policy.purging.Purge>}.
        @param soft: they stay, and have expired, so that the next use
            validates them.
        @return: how many entries there were; or, if there is more to do than
            the reactor can wait for, a L{Deferred} that fires with their number
            when the last one is gone.  Cancelling it leaves the rest as it is.
        """


class ICacheStore(IShelves, IPurgeable):
    """
    Where stored responses live, within a limit.

    Each is an L{Entry<intermediary.policy.entries.Entry>}.  One that has left
    goes on to exist for those who use it.
    """

    def used(entry: Any) -> None:
        """Note a hit."""

    def add(entry: Any) -> Any:
        """
        Store an entry, whose body may still be growing.

        It takes the place of the entry with the same key and variant, and
        others leave to make room for it.

        @return: whether it was stored: not if it is too big; of an L{ICacheTier}, an
            awaitable of that.
        """

    def grew(entry: Any, octets: int) -> bool:
        """
        Note that so many octets were appended to the body of an entry.

        @return: whether it is stored still.  If not, it was too big, or has left
            for another reason, and nobody new will find it.
        """

    def shed(entry: Any, octets: int) -> None:
        """Note that so many octets of the body of an entry are not in memory any more."""

    def remove(entry: Any) -> None:
        """Drop an entry; one that has left already is all right."""

    def forget(key: bytes) -> Deferred[int] | int:
        """
        Drop all that is under a key, as it has changed (RFC 9111 §4.4).

        What is being fetched for it is not to be found later, either.

        @return: as L{IPurgeable.purge}.
        """


class ICacheTier(ICacheStore):
    """
    A store behind the one in memory.

    Its answers are awaitable, and those of C{add} fire when the entry is there for
    good, or will not be.  The entries that it finds have bodies whose content is
    elsewhere (L{Body.within<intermediary.policy.body.Body.within>}).
    """

    def writingOf(entry: Any) -> Any:
        """
        Find who writes the content of an entry.

        @return: None if nobody does; or who has C{written}, the octets that can be
            read from the C{file} of its body already, C{owed}, those that cannot,
            C{failed}, and C{dropped}, which fires when what it would have replaced, had
            it not failed, is gone; None where nothing has to go.
        """

    def removeAll(names: list[tuple[bytes, bytes]]) -> Deferred[None]:
        """Drop what there is, or is on its way, with these keys and variants."""

    def giveUp(what: Any, isMeant: Callable[[Any], bool] | None = None) -> None:
        """
        Have what is on its way, and a purge covers, not stored.

        @param what: a L{Purge<intermediary.policy.purging.Purge>}; what is there already has
            gone.
        @param isMeant: tells of an entry that it covers whether it is about that; None if it
            is about all.
        """


class IKeeper(Interface):
    """Starts and stops what a tier of a cache needs: threads, timers, files."""

    def start() -> None:
        """Begin; what is asked of the tier meanwhile waits."""

    def stop() -> Deferred[None]:
        """Fires when all is closed, whatever state it is in."""


class IOnRequest(Interface):
    """A hook: a request head has arrived."""

    def onRequest(exchange: Exchange) -> Any:
        """
        See, change or answer a request before anything is looked up.

        @return: what any step may: None, C{PARKED}, a C{Reply}, or an
            awaitable of these.
        """


class IOnFetch(Interface):
    """A hook: an attempt is about to be made; once for every attempt."""

    def onFetch(exchange: Exchange) -> Any:
        """See or change C{exchange.forward}, the head that will be sent."""


class IOnFetched(Interface):
    """A hook: a response head has arrived from upstream."""

    def onFetched(exchange: Exchange) -> Any:
        """See C{exchange.response} before it is derived or admitted anywhere."""


class IOnDeliver(Interface):
    """A hook: a response is about to be sent."""

    def onDeliver(exchange: Exchange) -> Any:
        """See or change C{exchange.reply}, the head that the client will get."""


class IOnFinish(Interface):
    """A hook: the exchange has ended, well or not; always, exactly once."""

    def onFinish(exchange: Exchange) -> Any:
        """Account for the exchange.  Its outcome can't be changed any more."""


class IFront(Interface):
    """A listener's protocol factory, as a service sees it."""

    name = Attribute("the front's name in the configuration")

    def drain() -> Deferred[None]:
        """
        Finish what is under way and accept nothing new.

        Idle connections close at once; the others after their exchange.
        Tunnels go on.

        @return: fires when no connection is left.  Cancelling it only means
            that nobody waits any more.
        """

    def abort() -> None:
        """Drop every connection now."""


class ITLSPolicy(Interface):
    """
    How TLS is spoken with one kind of peer: versions, certificates, trust.

    The context factory that C{startTLS} of a transport and Twisted's C{tls:}
    endpoints take, so it provides
    L{IOpenSSLServerConnectionCreator<twisted.internet.interfaces.IOpenSSLServerConnectionCreator>}
    or L{IOpenSSLClientConnectionCreator<twisted.internet.interfaces.IOpenSSLClientConnectionCreator>},
    or both, beside this: by C{serverConnectionForTLS(protocol)} and
    C{clientConnectionForTLS(protocol)} it goes where Twisted's do, and by this
    OpenSSL reads and writes the socket itself.
    """

    def connectionOn(socket: Any) -> Any:
        """
        Make the TLS connection of a socket, as the two others make one without.

        @param socket: a connected C{socket.socket} that does not block.
        @return: an C{OpenSSL.SSL.Connection(context, socket)} in its accept or
            connect state, with everything set: the name to send, what to
            verify, the session to resume.  What speaks TLS for the transport
            makes itself its C{app_data}, which has C{failVerification(reason)}
            as Twisted's C{TLSMemoryBIOProtocol} does: called from a callback of OpenSSL, it
            ends the connection with this L{Failure<twisted.python.failure.Failure>}
            before anything is delivered or sent.
        @raise Exception: it can't be made; the connection ends with that.
        """


class ITicketKeys(Interface):
    """
    Which keys the tickets are under that clients resume their sessions with.

    OpenSSL keeps them in its contexts and hands them to nobody, so what this gives are
    contexts: a connection that begins with one can resume what began with the same one.
    """

    def newest() -> Any:
        """Give the C{OpenSSL.SSL.Context} that connections begin with now."""

    def retire() -> None:
        """Let no session be resumed that began before now."""


class IOriginTLS(Interface):
    """
    How TLS is spoken with origins: whom to trust, and who we are.

    Connections to L{Origin}s of different ones are never shared, nor are their
    sessions.
    """

    name = Attribute("what servers prove to be in place of their host, or None")

    def towards(host: str, port: int) -> Any:
        """
        Make the context factory for connections to one server.

        @return: an L{ITLSPolicy} that provides C{IOpenSSLClientConnectionCreator}.
            Its C{problemOf(connection)} says in words what is wrong with the
            certificate that the server of a connection sent, and nothing if all
            is well; C{keep(connection)} keeps the connection's session for the next;
            C{forget()} forgets it.
        @raise IntermediaryError: there can be none.
        """

    def complain(error: IntermediaryError) -> None:
        """Log that a handshake came to nothing; not each time, if there are many."""
