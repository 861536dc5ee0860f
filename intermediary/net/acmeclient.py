# -*- test-case-name: tests.net.test_acmeclient -*-
"""
A client of ACME servers (RFC 8555): certbot's library, as far as it is needed.

Everything blocks, so it is for threads.  Each request has its time, and what is waited
for ends at once when it is abandoned.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import requests
from acme import challenges, errors, messages
from acme.client import ClientV2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from josepy.b64 import b64encode
from josepy.errors import Error as JOSEError
from josepy.jwk import JWKEC

from .acmenetwork import Network
from .acmeproblems import Abandoned, AcmeError, refused, unreachable
from .pem import CertificateError, readCertificates

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from cryptography import x509

    from .acmestore import Account

#: How long a name may take to be looked at, and a certificate to be made.
PATIENCE_SECONDS: Final = 180.0
#: RFC 8555 §8.1: the alphabet of base64url.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
#: Between two looks at what the server does: at first, and at most.
_POLL_SECONDS: Final = (0.5, 10.0)


class Challenge(NamedTuple):
    """
    What the server wants to see.

    @ivar body: what it is for the library.
    """

    name: str
    token: str
    keyAuthorization: str
    body: Any


class AcmeClient:
    """
    Talks with one server for one account.

    Of each method goes: it raises L{AcmeError} when there will be no certificate, and
    L{Abandoned} once that event is set.
    """

    def __init__(self, directory: str, ca: str, key: bytes, abandoned: threading.Event) -> None:
        """
        Ask the server what it has.

        @param directory: its URL.
        @param ca: see L{Network}.
        @param key: the account's.
        """
        self._url = directory
        self._abandoned = abandoned
        try:
            loaded = load_pem_private_key(key, None)
            if not isinstance(loaded, EllipticCurvePrivateKey):
                raise TypeError(type(loaded).__name__)
        except (ValueError, TypeError) as error:
            raise AcmeError(
                "the key in account.json is broken",
                "move that file away: there will be a new account",
                common=True,
            ) from error
        self._key = JWKEC(key=loaded)
        self._network = Network(self._key, ca, abandoned)
        with self._worded():
            self._client = ClientV2(ClientV2.get_directory(directory, self._network), self._network)
            if self._client.external_account_required():
                raise refused("externalAccountRequired", "it needs an account that was made there")

    def close(self) -> None:
        """Close the connections."""
        self._network.session.close()

    # The account

    @property
    def terms(self) -> str:
        """Where the terms of service are; empty if there are none."""
        return str(getattr(self._client.directory.meta, "terms_of_service", None) or "")

    def register(self, email: str) -> str:
        """
        Make an account, agreeing to the terms, or find the one that this key has.

        @return: its URL.
        """
        wanted = messages.NewRegistration.from_data(
            email=email or None, terms_of_service_agreed=True
        )
        with self._worded():
            self._network.account = None
            try:
                return str(self._client.new_account(wanted).uri)
            except errors.ConflictError as error:
                self._enter(error.location)
                return str(error.location)

    def enter(self, account: Account, email: str) -> None:
        """
        Be who we are already; the server need not be asked.

        @param email: what is to be registered from now on, if it is another.
        """
        ours = self._enter(account.url)
        if email and email != account.email:
            with self._worded():
                wanted = messages.Registration.from_data(email=email)
                self._client.update_registration(ours, wanted)

    def _enter(self, url: str) -> messages.RegistrationResource:
        ours = messages.RegistrationResource(body=messages.Registration(), uri=url)
        self._network.account = ours
        return ours

    # An order

    def order(self, request: bytes) -> Any:
        """Ask for a certificate; give the order."""
        with self._worded():
            return self._client.new_order(request)

    def challengesOf(self, order: Any, kind: str) -> list[Challenge]:
        """
        Find what the server wants to see before it makes the certificate.

        @param kind: the type of challenges to meet.
        """
        thumbprint = b64encode(self._key.thumbprint(hash_function=hashes.SHA256))
        found = []
        with self._worded():
            for each in order.authorizations:
                if each.body.status != messages.STATUS_PENDING:
                    continue
                name = each.body.identifier.value
                for body in each.body.challenges:
                    # The library knows not all types, but keeps what they say.
                    said = body.chall.to_partial_json()
                    if said.get("type") == kind:
                        token = str(said["token"])
                        if _TOKEN.fullmatch(token) is None:
                            raise ValueError("a token that is none")
                        authorization = f"{token}.{thumbprint.decode('ascii')}"
                        found.append(Challenge(name, token, authorization, body))
                        break
                else:
                    raise AcmeError(
                        f"the authority offers no {kind} challenge", "choose the other challenge"
                    )
        return found

    def ready(self, challenge: Challenge) -> None:
        """Tell the server that it may look."""
        # What is sent is the same for all types: an empty object (RFC 8555 §7.5.1).
        response = challenges.HTTP01Response(key_authorization=challenge.keyAuthorization)
        with self._worded():
            self._client.answer_challenge(challenge.body, response)

    def validated(self, order: Any, kind: str) -> None:
        """Wait until the server has seen what it wants."""
        for each in order.authorizations:
            for _ in self._polling("it did not look at the name in time"):
                with self._worded():
                    found, _answer = self._client.poll(each)
                if found.body.status in (messages.STATUS_PENDING, messages.STATUS_PROCESSING):
                    continue
                if found.body.status != messages.STATUS_VALID:
                    raise self._unvalidated(found.body, kind)
                break

    def _unvalidated(self, body: Any, kind: str) -> AcmeError:
        """Say why a name was not found to lead here."""
        for each in body.challenges:
            if each.error is not None:
                return refused(_codeOf(each.error), each.error.detail or "", kind)
        return refused("", f"the authorization is {body.status.name}")

    def finish(self, order: Any) -> list[x509.Certificate]:
        """
        Have the certificate made.

        @return: it, and those that vouch for it.
        """
        with self._worded():
            try:
                self._client.begin_finalization(order)
            except messages.Error as error:
                # It will be said again.
                if error.code != "orderNotReady":
                    raise
        for _ in self._polling("it did not make the certificate in time"):
            with self._worded():
                # It waits for a second by itself, or longer if the server wants that.
                soon = dt.datetime.now() + dt.timedelta(seconds=4)  # noqa: DTZ005 - its choice
                try:
                    made = self._client.poll_finalization(order, soon)
                except errors.TimeoutError:
                    continue
                return readCertificates(made.fullchain_pem.encode("ascii"))
        raise AssertionError  # pragma: no cover

    def renewal(self, certificate: x509.Certificate) -> tuple[float | None, float]:
        """See L{Orders.renewal<intermediary.net.acmeorders.Orders.renewal>}."""
        with self._worded():
            try:
                due, asks = self._client.renewal_time(certificate.public_bytes(Encoding.PEM))
            except errors.ARIError as error:
                return None, error.retry_after.timestamp()
        return None if due is None else due.timestamp(), asks.timestamp()

    def _polling(self, late: str) -> Iterator[None]:
        """Wait for the server, more and more patiently."""
        seconds, most = _POLL_SECONDS
        waited = 0.0
        while waited < PATIENCE_SECONDS:
            yield
            pause = min(max(seconds, self._network.retryAfterSeconds), most)
            if self._abandoned.wait(pause):
                raise Abandoned
            waited += pause
            seconds *= 1.5
        raise AcmeError(f"the authority takes too long: {late}", "wait")

    # Errors

    @contextmanager
    def _worded(self) -> Iterator[None]:
        """Turn what the libraries raise into words."""
        later = 0.0
        try:
            yield
        except (AcmeError, Abandoned):
            raise
        except messages.Error as error:
            later = self._network.retryAfterSeconds
            if not messages.is_acme_error(error):
                # Of a gateway in front of it, maybe.
                raise unreachable(self._url, _innermost(error), later) from error
            raise refused(_codeOf(error), error.detail or "", "", later) from error
        except errors.IssuanceError as error:
            raise refused(_codeOf(error.error), error.error.detail or "") from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise unreachable(self._url, _innermost(error)) from error
        except (
            errors.Error,
            JOSEError,
            CertificateError,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            # Whatever else is there, it is no ACME server, or one that is not well.
            later = self._network.retryAfterSeconds
            raise unreachable(
                self._url, f"it answers with what is not ACME ({_innermost(error)})", later
            ) from error


def _codeOf(error: messages.Error) -> str:
    return str(error.typ or "").rpartition(":")[2]


def _innermost(error: BaseException) -> str:
    """Say what is behind an error, without the names of classes around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    reason = getattr(error, "strerror", None) or str(error)
    return " ".join(str(reason).split()) or type(error).__name__


__all__ = ["PATIENCE_SECONDS", "AcmeClient", "Challenge"]
