# -*- test-case-name: tests.net.test_origintls -*-
"""
TLS towards origins: whom we trust, and who we are.

An L{OriginTLS} is one policy with the one C{SSL.Context} that it needs; a
L{TLSClient} is the context factory for connections to one server under it.  What
belongs to a name (SNI, what is verified, the session to resume) is set on each
connection and never on the context, so names share that without mixing anything.

A server's certificate is checked before anything of ours is sent to it, our client
certificate included: a chain to a trusted authority by OpenSSL, that it is for the
right name by C{service-identity} (RFC 9525).
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import TLSNotConfigured
from ..interfaces import IOriginTLS, ITLSPolicy
from .pem import CertificateError, checkPair, readCertificates, readFile, readKey, refusedBy
from .tlscontext import PROFILES, makeContext
from .tlsproblems import chainProblem, mismatch
from .truststore import REMEDY, trustedFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import IntermediaryError
    from ..settings import OriginTLSSettings

#: Servers whose sessions are kept, by one policy.
SESSIONS: Final = 1024
#: How long after its certificate was looked at a server's sessions are resumed: that
#: one has expired, or another is trusted, is noticed after it at the latest.
SESSION_SECONDS: Final = 3600.0
#: Between two complaints about handshakes.
COMPLAINT_SECONDS: Final = 60.0
#: What is spoken over TLS (RFC 7301).
PROTOCOLS: Final = [b"http/1.1"]


class Unusable(ValueError):
    """
    Something that TLS is to be set up with can't be used.

    @ivar key: which of the settings it is.
    @ivar value: what that says.
    @ivar message: why, to follow the value in a sentence.
    @ivar remedy: what to do about it.
    """

    def __init__(self, key: str, value: str | None, message: str, remedy: str) -> None:
        super().__init__(f"{key} = {value!r} {message}; {remedy}")
        self.key = key
        self.value = value
        self.message = message
        self.remedy = remedy


class ClientConnection(SSL.Connection):
    """
    A TLS connection of ours, and what is known of its server.

    @ivar expected: the name or address that it has to prove to be.
    @ivar literal: whether that is an address.
    @ivar since: when it proved to be it, on this connection or on the first of those
        that it continues the session of.
    @ivar problem: what is wrong with its certificate; empty if nothing is.
    """

    expected = ""
    literal = False
    since = 0.0
    problem = ""

    def __del__(self) -> None:
        """
        Leave the session as it is.

        To OpenSSL a session is broken when its connection goes without a
        C{close_notify}; TLS has given that up (RFC 4346 §7.2.1), as too few servers
        send one.
        """
        if "_ssl" in self.__dict__:
            self.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)


@implementer(IOriginTLS)
class OriginTLS:
    """
    One policy for TLS with origins.

    @ivar name: see L{IOriginTLS}.
    """

    log = Logger()

    def __init__(self, settings: OriginTLSSettings, seconds: Callable[[], float]) -> None:
        """
        Nothing is read yet.

        @param seconds: the clock.
        """
        self.settings = settings
        self.name = settings.name
        self.seconds = seconds
        self._context: SSL.Context | None = None
        #: With the time of L{ClientConnection.since}, the last used one last.
        self._sessions: OrderedDict[tuple[str, int], tuple[SSL.Session, float]] = OrderedDict()
        self._complained = -COMPLAINT_SECONDS

    def context(self) -> SSL.Context:
        """
        Give the context; the first call reads the files.

        @raise Unusable: for the first of them that is no good.
        """
        context = self._context
        if context is None:
            context = self._context = self._make()
        return context

    def _make(self) -> SSL.Context:
        settings = self.settings
        context = _contextOf(settings.profile)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_alpn_protos(PROTOCOLS)
        if settings.certificate is not None:
            self._identify(context, settings.certificate)
        if settings.verify:
            self._trust(context)
            context.set_verify(SSL.VERIFY_PEER, self._verify)
        else:
            context.set_verify(SSL.VERIFY_NONE)
        return context

    def _trust(self, context: SSL.Context) -> None:
        """Load the authorities."""
        path = self.settings.ca
        if path is not None:
            store = context.get_cert_store()
            assert store is not None
            for each in _read("ca", path, readCertificates):
                store.add_cert(crypto.X509.from_cryptography(each))
            # Who is named is trusted, even if another authority has signed it.
            store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
            return
        path, folder = trustedFiles()
        if path is None and folder is None:
            raise Unusable("ca", None, "is needed: this system trusts nobody", REMEDY)
        try:
            context.load_verify_locations(path, folder)
        except SSL.Error as error:
            raise Unusable("ca", path or folder, "can't be read by OpenSSL", REMEDY) from error

    def _identify(self, context: SSL.Context, path: str) -> None:
        """Load our certificate and its key."""
        settings = self.settings
        chain = _read("certificate", path, readCertificates)
        if settings.key is None:
            key = _read("certificate", path, readKey)
        else:
            key = _read("key", settings.key, readKey)
        try:
            checkPair(chain, key)
            context.use_certificate(chain[0])
            for each in chain[1:]:
                context.add_extra_chain_cert(each)
            context.use_privatekey(key)
        except CertificateError as error:
            raise Unusable("certificate", path, error.message, error.remedy) from error
        except SSL.Error as error:
            refused = refusedBy(error)
            raise Unusable("certificate", path, refused.message, refused.remedy) from error

    @staticmethod
    def _verify(connection: Any, certificate: Any, code: int, depth: int, ok: int) -> bool:
        """
        Judge a certificate of a chain; OpenSSL asks, from the authority to the server.

        What it is told ends the handshake with an alert; nothing may be raised here.
        """
        try:
            judged = certificate.to_cryptography()
            if not ok:
                problem = chainProblem(judged, code, depth)
            elif depth:
                return True
            else:
                problem = mismatch(judged, connection.expected, connection.literal)
        except Exception:  # noqa: BLE001 - certificates hold what they like
            OriginTLS.log.failure("A certificate can't be judged")
            problem = "the certificate can't be read"
        connection.problem = problem
        if not problem:
            connection.since = float("inf")
        return not problem

    def towards(self, host: str, port: int) -> TLSClient:
        """See L{IOriginTLS.towards}."""
        try:
            context = self.context()
        except Unusable as error:
            raise TLSNotConfigured(str(error)) from error
        return TLSClient(self, context, host, port)

    # Sessions

    def sessionOf(self, server: tuple[str, int]) -> tuple[SSL.Session, float] | None:
        """Find the session to resume with a server, if there is one."""
        found = self._sessions.get(server)
        if found is not None and self.seconds() - found[1] > SESSION_SECONDS:
            del self._sessions[server]
            return None
        return found

    def keepSession(self, server: tuple[str, int], session: SSL.Session, since: float) -> None:
        """Keep a session for the next connection to a server."""
        sessions = self._sessions
        sessions[server] = (session, since)
        sessions.move_to_end(server)
        if len(sessions) > SESSIONS:
            sessions.popitem(last=False)

    def forgetSession(self, server: tuple[str, int]) -> None:
        """Begin anew with a server."""
        self._sessions.pop(server, None)

    def complain(self, error: IntermediaryError) -> None:
        """See L{IOriginTLS.complain}."""
        now = self.seconds()
        if now - self._complained >= COMPLAINT_SECONDS:
            self._complained = now
            self.log.warn("No TLS with {detail}", detail=error.detail)  # noqa: G010 - of Twisted

    def __repr__(self) -> str:
        return f"<OriginTLS sessions={len(self._sessions)}>"


@implementer(ITLSPolicy, IOpenSSLClientConnectionCreator)
class TLSClient:
    """
    Makes TLS connections to one server.

    Any Twisted application may use it, with L{wrapClientTLS
    <twisted.internet.endpoints.wrapClientTLS>} for example.
    """

    __slots__ = ("_context", "_literal", "_name", "_policy", "_server")

    def __init__(self, policy: OriginTLS, context: SSL.Context, host: str, port: int) -> None:
        self._policy = policy
        self._context = context
        self._server = (host, port)
        # A zone (RFC 4007) is none of the server's, nor is the root's dot.
        name = (policy.name or host).partition("%")[0].removesuffix(".")
        self._name = name
        try:
            ip_address(name)
        except ValueError:
            self._literal = False
        else:
            self._literal = True

    def clientConnectionForTLS(self, protocol: Any) -> ClientConnection:
        """See L{IOpenSSLClientConnectionCreator}."""
        return self._connection(None)

    def connectionOn(self, socket: Any) -> ClientConnection:
        """See L{ITLSPolicy.connectionOn}."""
        return self._connection(socket)

    def _connection(self, socket: Any) -> ClientConnection:
        connection = ClientConnection(self._context, socket)
        connection.expected = self._name
        connection.literal = self._literal
        connection.set_connect_state()
        if not self._literal:
            # RFC 6066 §3: names alone.
            connection.set_tlsext_host_name(self._name.encode("ascii"))
        found = self._policy.sessionOf(self._server)
        if found is None:
            connection.since = float("inf")
        else:
            session, connection.since = found
            connection.set_session(session)
        return connection

    def problemOf(self, connection: Any) -> str:
        """See L{IOriginTLS.towards}."""
        return str(connection.problem)

    def keep(self, connection: Any) -> None:
        """
        Keep the connection's session for the next.

        With TLS 1.3 it can be resumed once the server has sent a ticket, which comes
        after the handshake: before its first octets as a rule.
        """
        session = connection.get_session()
        if session is not None:
            policy = self._policy
            policy.keepSession(self._server, session, min(connection.since, policy.seconds()))

    def forget(self) -> None:
        """Do not resume what failed."""
        self._policy.forgetSession(self._server)


class OriginPolicies:
    """The policies of a process: one for all who say the same."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        @param seconds: the clock.
        """
        self._seconds = seconds
        self._known: dict[OriginTLSSettings, OriginTLS] = {}

    def get(self, settings: OriginTLSSettings) -> OriginTLS:
        """Find or make a policy."""
        known = self._known.get(settings)
        if known is None:
            known = self._known[settings] = OriginTLS(settings, self._seconds)
        return known


#: What clients can do without parameters of their own, beside what both sides have.
_DHE: Final = "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384"
_OLD: Final = (
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:"
    "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"
    "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA"
)


def _contextOf(profile: str) -> SSL.Context:
    """
    Make a context of the versions and ciphers of a profile.

    The lowest version of C{compatible} is for clients that are old; there is no such
    excuse for servers of ours, so here it has no more than old ciphers.
    """
    if profile == "modern":
        return makeContext(profile)
    context = makeContext("intermediate")
    ciphers = [PROFILES["intermediate"].ciphers, _DHE]
    if profile == "compatible":
        ciphers.append(_OLD)
    context.set_cipher_list(":".join(ciphers).encode("ascii"))
    return context


def _read(key: str, path: str, reader: Callable[[bytes], Any]) -> Any:
    """
    Read a file.

    @raise Unusable: there is not what should be.
    """
    try:
        return reader(readFile(path))
    except OSError as error:
        raise Unusable(
            key, path, f"can't be read: {error.strerror}", "name a file that this user may read"
        ) from error
    except CertificateError as error:
        raise Unusable(key, path, error.message, error.remedy) from error


__all__ = [
    "SESSIONS",
    "SESSION_SECONDS",
    "ClientConnection",
    "OriginPolicies",
    "OriginTLS",
    "TLSClient",
    "Unusable",
]
