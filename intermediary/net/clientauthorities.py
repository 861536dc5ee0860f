# -*- test-case-name: tests.net.test_clientauthorities -*-
"""
Who vouches for the clients of a front, and for whom they do no longer.

OpenSSL does the judging: the chain, that the certificate is for clients, what is revoked.
Here it gets its authorities and its lists, and is asked what it found.

Who is named is trusted, also an authority between, or a client whose certificate nobody
else has signed; and nobody above is asked for it.  A list that has expired lets nobody in,
nor does one that is missing where there are lists: whoever keeps them from arriving could
otherwise undo a revocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from twisted.logger import Logger

from .introduction import describe
from .pem import CertificateError
from .tlsproblems import clientProblem

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from ..clientcertificate import ClientCertificate

#: How many authorities may stand between a client and who is trusted.
DEPTH: Final = 8
#: What all names together may take in a handshake: their lengths are of 16 bits.
_NAMES_OCTETS: Final = 65_000
#: SSL_MODE_NO_AUTO_CHAIN of OpenSSL's C{ssl.h}: who vouches for clients is not sent as
#: part of the server's chain.
_NO_AUTO_CHAIN: Final = 0x8
_CODES: Final = SSL.X509VerificationCodes
#: There is no list of who has signed this one, or none that can be believed.
_UNLISTED: Final = frozenset(
    (
        _CODES.ERR_UNABLE_TO_GET_CRL,
        _CODES.ERR_UNABLE_TO_GET_CRL_ISSUER,
        _CODES.ERR_CRL_SIGNATURE_FAILURE,
        _CODES.ERR_CRL_NOT_YET_VALID,
        _CODES.ERR_CRL_HAS_EXPIRED,
        _CODES.ERR_KEYUSAGE_NO_CRL_SIGN,
    )
)


class AskedConnection(SSL.Connection):
    """
    The server's side of a TLS connection whose client is asked for a certificate.

    @ivar asked: the L{ClientAuthorities} that it is asked under.
    @ivar presented: what was verified in this handshake; None if there was none, or if it
        goes on with an earlier session.
    @ivar problem: what is wrong with the certificate; empty if nothing is.
    """

    asked: Any = None
    presented: ClientCertificate | None = None
    problem = ""


class ClientAuthorities:
    """What a front knew at one time, for the contexts of that time; it never changes."""

    _log = Logger()

    def __init__(
        self,
        certificates: Sequence[x509.Certificate],
        lists: Sequence[x509.CertificateRevocationList] = (),
        required: bool = True,
    ) -> None:
        """
        @param certificates: who is trusted.
        @param lists: what they have revoked; none for not to ask.
        @param required: whether a client without a certificate is refused.
        @raise CertificateError: they can't be used.
        """
        self.certificates = tuple(certificates)
        self.lists = tuple(lists)
        self._anchors = frozenset(each.fingerprint(SHA256()) for each in certificates)
        self._mode = SSL.VERIFY_PEER | (SSL.VERIFY_FAIL_IF_NO_PEER_CERT if required else 0)
        names = sum(len(each.subject.public_bytes()) + 2 for each in certificates)
        if names > _NAMES_OCTETS:
            raise CertificateError(
                "names more authorities than a handshake has room for",
                "leave those that have clients of yours",
            )

    def ask(self, context: Any) -> None:
        """
        Have clients asked for certificates, and this told what is thought of them.

        It counts for the context that a connection begins with, and lists would be there
        for nothing: see L{trust}.

        @param context: an C{OpenSSL.SSL.Context} for L{AskedConnection}s.
        """
        context.set_mode(_NO_AUTO_CHAIN)
        context.set_verify_depth(DEPTH)
        context.set_verify(self._mode, self._verify)

    def trust(self, context: Any) -> None:
        """
        Have certificates judged by what is known here.

        It counts for the context that takes the place of the first one when the client
        has said which server it wants, or that it does not care.

        @param context: as for L{ask}.
        @raise OpenSSL.SSL.Error: OpenSSL can't read what was read here.
        """
        store = context.get_cert_store()
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN
        for each in self.certificates:
            store.add_cert(crypto.X509.from_cryptography(each))
            context.add_client_ca(each)
        if self.lists:
            flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL
            for one in self.lists:
                store.add_crl(one)
        store.set_flags(flags)

    def _verify(self, connection: Any, certificate: Any, code: int, depth: int, ok: int) -> bool:
        """
        Called by OpenSSL for each certificate of a chain, from who is trusted to the client.

        Nothing may be raised here: it would be lost with the context that the connection
        began with.
        """
        try:
            judged = certificate.to_cryptography()
            if ok:
                if not depth:
                    connection.presented = describe(judged)
                return True
            if code in _UNLISTED and judged.fingerprint(SHA256()) in self._anchors:
                # It is trusted as it is: who has signed it need not even be known.
                return True
            problem = clientProblem(judged, code, depth)
        except Exception:  # noqa: BLE001 - certificates hold what they like
            problem = "its certificate can't be read"
            if ok:
                # Whom we trust has signed it; of others anybody could fill the log.
                self._log.failure("A certificate can't be read")
        connection.problem = connection.problem or problem
        return False

    def unlisted(self) -> list[str]:
        """Name those whose clients are all refused, as there are lists but none of theirs."""
        if not self.lists:
            return []
        listed = {each.issuer for each in self.lists}
        return [
            each.subject.rfc4514_string()
            for each in self.certificates
            if each.subject not in listed and isAuthority(each)
        ]

    def expired(self, now: dt.datetime) -> list[x509.CertificateRevocationList]:
        """Find the lists whose time is over."""
        return [
            each
            for each in self.lists
            if each.next_update_utc is not None and each.next_update_utc <= now
        ]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClientAuthorities):
            return NotImplemented
        return (
            self.certificates == other.certificates
            and self._mode == other._mode
            and [each.public_bytes(Encoding.DER) for each in self.lists]
            == [each.public_bytes(Encoding.DER) for each in other.lists]
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<ClientAuthorities {len(self.certificates)} lists={len(self.lists)}>"


def isAuthority(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is that of somebody who signs others."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return found.value.ca


__all__ = ["DEPTH", "AskedConnection", "ClientAuthorities", "isAuthority"]
