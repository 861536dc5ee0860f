# -*- test-case-name: tests.net.test_acmeorders -*-
"""
The way to one certificate (RFC 8555 §7.1.6): an account, an order, proof that the name
leads here, and the certificate, which is stored.

It blocks for minutes: it is for a thread, one at a time.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.logger import Logger

from .acmekeys import challengeCertificate, keyPEM, makeKey, requestFor
from .acmeproblems import Abandoned, AcmeError
from .acmestore import Account, StoreError
from .certificates import Certificate, readCertificate
from .pem import CertificateError, readFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..settings import AcmeSettings
    from .acmestore import AcmeStore


class Orders:
    """Those of one front."""

    _log = Logger()

    def __init__(
        self,
        settings: AcmeSettings,
        store: AcmeStore,
        connect: Callable[..., Any] | None = None,
    ) -> None:
        """
        @param connect: makes a client; by default
            L{AcmeClient<intermediary.net.acmeclient.AcmeClient>}.
        """
        self._settings = settings
        self._store = store
        self._connect = connect
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """End what is under way, soon, and begin nothing more."""
        self._abandoned.set()

    def resume(self) -> None:
        """Begin again."""
        # What was abandoned keeps the other one.
        self._abandoned = threading.Event()

    def stored(self, name: str) -> Certificate | None:
        """Read the certificate of a name; None for none that can be used."""
        path = self._store.pathOf(name)
        try:
            octets = readFile(path)
            found = readCertificate(octets, octets, path)
        except (OSError, CertificateError):
            return None
        return found if self.fits(found, name) else None

    def fits(self, found: Certificate, name: str) -> bool:
        """Tell whether a certificate is what we would order."""
        return name in found.names and found.kind == self._settings.key

    def obtain(self, name: str, isFresh: Callable[[Certificate], bool]) -> Certificate | None:
        """
        Get a certificate and store it, unless another process has, or does.

        @param isFresh: whether what is stored will do.
        @return: what is stored now; None if another process is at work.
        @raise AcmeError: there is none this time.
        @raise Abandoned: see L{abandon}.
        """
        try:
            with self._store.locked() as ours:
                if not ours:
                    return None
                found = self.stored(name)
                if found is not None and isFresh(found):
                    return found
                return self._order(name)
        except StoreError as error:
            raise AcmeError(error.message, error.remedy, common=True) from error

    def renewal(self, certificate: Certificate) -> tuple[float | None, float]:
        """
        Ask the authority when to renew a certificate (RFC 9773).

        @return: when to; None if it does not say; and when to ask again.  Both are in
            seconds since the epoch.
        @raise AcmeError: it can't be asked.
        @raise Abandoned: see L{abandon}.
        """
        try:
            account = self._store.account()
        except StoreError as error:
            raise AcmeError(error.message, error.remedy, common=True) from error
        # It need not know who asks.
        client = self._client(account or Account(keyPEM(makeKey("EC"))))
        try:
            found: tuple[float | None, float] = client.renewal(certificate.leaf)
        finally:
            client.close()
        return found

    def _order(self, name: str) -> Certificate:
        settings, store = self._settings, self._store
        account = store.account()
        if account is None:
            account = Account(keyPEM(makeKey("EC")))
            # What was registered with a key that is lost is lost.
            store.keepAccount(account)
        client = self._client(account)
        try:
            key = makeKey(settings.key)
            order = self._begin(client, account, requestFor(name, key))
            pending = client.challengesOf(order, settings.challenge)
            answers = dict(map(self._answer, pending))
            with store.published(settings.challenge, answers):
                for challenge in pending:
                    client.ready(challenge)
                client.validated(order, settings.challenge)
            chain = client.finish(order)
        finally:
            client.close()
        octets = keyPEM(key) + b"".join(each.public_bytes(Encoding.PEM) for each in chain)
        try:
            found = readCertificate(octets, octets, store.pathOf(name))
        except CertificateError as error:
            raise AcmeError(f"the certificate that was made {error.message}", "wait") from error
        if not self.fits(found, name):
            raise AcmeError("the certificate that was made is for something else", "wait")
        store.keepCertificate(name, octets)
        return found

    def _client(self, account: Account) -> Any:
        settings = self._settings
        connect = self._connect
        if connect is None:
            # Only who orders needs the library, and what that brings.
            from .acmeclient import AcmeClient

            connect = AcmeClient
        if self._abandoned.is_set():
            raise Abandoned
        return connect(settings.directory, settings.ca, account.key, self._abandoned)

    def _begin(self, client: Any, account: Account, request: bytes) -> Any:
        """Order, as who we are, or who we become now."""
        if account.url:
            try:
                client.enter(account, self._settings.email)
                order = client.order(request)
            except AcmeError as error:
                if error.code != "accountDoesNotExist":
                    raise
                # It has forgotten us.
            else:
                if self._settings.email not in ("", account.email):
                    self._store.keepAccount(account._replace(email=self._settings.email))
                return order
        email = self._settings.email
        url = client.register(email)
        self._store.keepAccount(Account(account.key, url, email))
        self._log.info(
            "There is an account at {directory}, which agreed to its terms of service{terms}",
            directory=self._settings.directory,
            terms=f": {client.terms}" if client.terms else "",
        )
        return client.order(request)

    def _answer(self, challenge: Any) -> tuple[str, bytes]:
        """Make what the server is to see, and what that is found by."""
        if self._settings.challenge == "http-01":
            return challenge.token, challenge.keyAuthorization.encode("ascii")
        key = makeKey(self._settings.key)
        now = dt.datetime.now(dt.UTC)
        made = challengeCertificate(challenge.name, challenge.keyAuthorization, key, now)
        return challenge.name, made.public_bytes(Encoding.PEM) + keyPEM(key)


__all__ = ["Orders"]
