# -*- test-case-name: tests.net.test_authorityfiles -*-
"""
The files of who vouches for the clients of a front, and of what they have revoked.

As with certificates (L{intermediary.net.certificatefiles}), one that can't be used is told of
once, and what it held before goes on being used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL

from .certificatefiles import Trouble, signatureOf
from .clientauthorities import ClientAuthorities
from .pem import (
    LARGEST_OCTETS,
    CertificateError,
    readCertificates,
    readFile,
    readLists,
    refusedBy,
)
from .tlscontext import makeContext

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from ..settings import ClientTLSSettings

T = TypeVar("T")

#: Lists have one entry for each certificate that was revoked.
LARGEST_LISTS_OCTETS: Final = 16 * LARGEST_OCTETS

_NEWER = "get a newer one: until then its clients are refused"


class AuthorityFiles:
    """
    What one front's settings name.

    @ivar authorities: what was read last, the same object until it is something else;
        None until that succeeds.
    """

    def __init__(self, settings: ClientTLSSettings) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self._signature: Any = None
        #: The lists whose end was told of, by their fingerprints.
        self._lapsed: set[bytes] = set()
        self.authorities: ClientAuthorities | None = None

    def look(self) -> list[Trouble]:
        """
        Read what has changed since the last time; may block.

        @return: what could not be read; not what could not be the last time.
        """
        settings = self._settings
        paths = [settings.ca, settings.crl] if settings.crl else [settings.ca]
        signature = signatureOf(*paths)
        if signature == self._signature:
            return []
        self._signature = signature
        troubles: list[Trouble] = []
        certificates = self._read("ca", settings.ca, readCertificates, LARGEST_OCTETS, troubles)
        lists: Any = []
        if settings.crl:
            lists = self._read("crl", settings.crl, readLists, LARGEST_LISTS_OCTETS, troubles)
        if certificates is None or lists is None:
            return troubles
        key, path = "clients.ca", settings.ca
        try:
            fresh = ClientAuthorities(certificates, lists, settings.required)
            key, path = "clients.crl", settings.crl
            _checkLists(fresh)
            # What OpenSSL does not take is known now.
            fresh.trust(makeContext())
        except SSL.Error as error:
            refused = refusedBy(error)
            return [Trouble(key, path, refused.message, "get it from its issuer again")]
        except CertificateError as error:
            return [Trouble(key, path, error.message, error.remedy)]
        if fresh != self.authorities:
            self.authorities = fresh
        return []

    def _read(
        self,
        key: str,
        path: str,
        reader: Callable[[bytes], T],
        largestOctets: int,
        troubles: list[Trouble],
    ) -> T | None:
        """Read a file, or add what is wrong with it to the troubles."""
        try:
            return reader(readFile(path, largestOctets))
        except OSError as error:
            message = f"can't be read: {error.strerror}"
            remedy = "name a file that this user may read"
        except CertificateError as error:
            message, remedy = error.message, error.remedy
        troubles.append(Trouble(f"clients.{key}", path, message, remedy))
        return None

    def lapses(self, now: dt.datetime) -> list[Trouble]:
        """Find the lists whose time is over, each once."""
        authorities = self.authorities
        if authorities is None:
            return []
        expired = {each.fingerprint(SHA256()): each for each in authorities.expired(now)}
        fresh = [each for key, each in expired.items() if key not in self._lapsed]
        self._lapsed = set(expired)
        return [self._lapse(each) for each in fresh]

    def _lapse(self, one: Any) -> Trouble:
        issuer = one.issuer.rfc4514_string()
        message = f"has a list of {issuer} that has expired on {one.next_update_utc:%Y-%m-%d}"
        return Trouble("clients.crl", self._settings.crl, message, _NEWER)

    def oddities(self, now: dt.datetime) -> list[Trouble]:
        """Find what works and yet lets clients in that should not, or none that should."""
        authorities = self.authorities
        if authorities is None:
            return []
        found = [
            Trouble(
                "clients.ca",
                self._settings.ca,
                f"has a certificate of {each.subject.rfc4514_string()} that has expired on "
                f"{each.not_valid_after_utc:%Y-%m-%d}",
                "put the new one there: its clients are refused",
            )
            for each in authorities.certificates
            if each.not_valid_after_utc <= now
        ]
        found += [
            Trouble(
                "clients.crl",
                self._settings.crl,
                f"has no list of {each}",
                "add it, also if it is empty: its clients are refused",
            )
            for each in authorities.unlisted()
        ]
        found += [self._lapse(each) for each in authorities.expired(now)]
        return found


def _checkLists(authorities: ClientAuthorities) -> None:
    """
    See that lists are by whom they say.

    @raise CertificateError: one is not.
    """
    for each in authorities.lists:
        issuers = [one for one in authorities.certificates if one.subject == each.issuer]
        keys: list[Any] = [one.public_key() for one in issuers]
        if keys and not any(each.is_signature_valid(key) for key in keys):
            raise CertificateError(
                f"has a list of {each.issuer.rfc4514_string()} that somebody else has signed",
                "get it from its issuer again",
            )


__all__ = ["LARGEST_LISTS_OCTETS", "AuthorityFiles"]
