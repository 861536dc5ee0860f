# -*- test-case-name: tests.net.test_stapling -*-
"""
What is stapled to certificates: the word of who issued them that they are good.

Each certificate that names a responder has a L{Staple}: it asks when half of the time
is over for which the last answer holds, and again and again, but less and less often,
while there is none.  The last good answer is used for as long as it holds.  Clients that
ask for none get none, and for those that do it is there already: no handshake waits.
"""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from twisted.logger import Logger

from .certificatestatus import (
    Question,
    Revoked,
    StatusError,
    judge,
    mustStaple,
    questionOf,
)
from .ocspclient import OCSPClient, ResponderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from ..interfaces import IConnector
    from .certificates import Certificate

#: The shortest and the longest time to the next question after an answer.
LEAST_SECONDS: Final = 300.0
MOST_SECONDS: Final = 604800.0
#: The same after none.
RETRY_SECONDS: Final = 60.0
MOST_RETRY_SECONDS: Final = 3600.0
#: Between the first questions about several certificates.
SPREAD_SECONDS: Final = 0.1


class Stapling:
    """
    The staples of one front's certificates.

    It has timers from L{start} to L{stop}.
    """

    def __init__(
        self,
        clock: Any,
        front: str,
        connect: Callable[[], IConnector],
        chance: Callable[[], float] = random,
    ) -> None:
        """
        @param clock: an C{IReactorTime} whose time is that of the epoch.
        @param front: its name, for the log.
        @param connect: gives what responders are reached by, when there is one.
        @param chance: gives a number from 0 to 1, so that not all ask at once.
        """
        self._clock = clock
        self._front = front
        self._connect = connect
        self._chance = chance
        self._client: OCSPClient | None = None
        self._staples: dict[bytes, Staple] = {}
        self._started = False

    def equip(self, context: Any, certificates: Iterable[Certificate]) -> None:
        """
        Have what there is stapled in a context; may be called in any thread.

        @param context: an C{OpenSSL.SSL.Context} with these certificates, of different
            kinds of keys, from which no connection was made.
        """
        certificates = list(certificates)
        if all(questionOf(each) is None for each in certificates):
            return
        if len(certificates) == 1:
            context.set_ocsp_server_callback(self._given, _keyOf(certificates[0].leaf))
        else:
            context.set_ocsp_server_callback(self._chosen)

    def _given(self, connection: Any, key: bytes) -> bytes:
        """Called by OpenSSL: the client asks for what is stapled."""
        staple = self._staples.get(key)
        return b"" if staple is None else staple.current()

    def _chosen(self, connection: Any, _: Any) -> bytes:
        """The same where the client's ciphers decide which certificate it is."""
        certificate = connection.get_certificate(as_cryptography=True)
        return b"" if certificate is None else self._given(connection, _keyOf(certificate))

    def follow(self, certificates: Iterable[Certificate]) -> None:
        """Get staples for these from now on, and for no others."""
        before = self._staples
        self._staples = {}
        for certificate in certificates:
            key = _keyOf(certificate.leaf)
            staple = before.pop(key, None)
            if staple is None and key not in self._staples:
                question = questionOf(certificate)
                if question is not None:
                    staple = self._staple(certificate, question)
                    if self._started:
                        staple.start(len(self._staples) * SPREAD_SECONDS)
            if staple is not None:
                self._staples[key] = staple
        for staple in before.values():
            staple.stop()

    def _staple(self, certificate: Certificate, question: Question) -> Staple:
        if self._client is None:
            self._client = OCSPClient(self._clock, self._connect())
        name = certificate.names[0]
        return Staple(self._clock, self._client, question, self._chance, self._front, name)

    def start(self) -> None:
        """Begin to ask."""
        if not self._started:
            self._started = True
            for index, staple in enumerate(self._staples.values()):
                staple.start(index * SPREAD_SECONDS)

    def stop(self) -> None:
        """Ask no more."""
        self._started = False
        for staple in self._staples.values():
            staple.stop()

    def __repr__(self) -> str:
        there = sum(bool(each.current()) for each in self._staples.values())
        return f"<Stapling {self._front} {there}/{len(self._staples)}>"


class Staple:
    """What is stapled to one certificate."""

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        client: OCSPClient,
        question: Question,
        chance: Callable[[], float],
        front: str,
        name: str,
    ) -> None:
        """
        @param name: the certificate's, for the log.
        """
        self._clock = clock
        self._client = client
        self._question = question
        self._chance = chance
        self._front = front
        self._name = name
        self._must = mustStaple(question.leaf)
        self._octets = b""
        self._until = 0.0
        self._timer: IDelayedCall | None = None
        self._asking: Deferred[Any] | None = None
        #: How often there was no answer since the last one.
        self._failures = 0
        self._said = ""

    def current(self) -> bytes:
        """What is stapled now; nothing if there is nothing that holds."""
        if self._octets and self._until <= self._clock.seconds():
            self._octets = b""
        return self._octets

    def start(self, delaySeconds: float) -> None:
        """Begin to ask."""
        if self._timer is None and self._asking is None:
            self._timer = self._clock.callLater(delaySeconds, self._ask)

    def stop(self) -> None:
        """Ask no more."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _ask(self) -> None:
        self._timer = None
        asking = self._asking = self._client.ask(self._question.url, self._question.octets)
        asking.addCallback(self._answered)
        asking.addErrback(self._failed)

    def _answered(self, octets: bytes) -> None:
        now = self._clock.seconds()
        status = judge(octets, self._question, now)
        self._asking = None
        self._octets, self._until = status
        if self._said:
            self._said = ""
            self._log.info(
                "{front}: there is an OCSP response for {name} again",
                front=self._front,
                name=self._name,
            )
        self._failures = 0
        # Another answer may be the same one: it gets older, and this shorter.
        half = (self._until - now) / 2
        self._later(min(max(half, LEAST_SECONDS), MOST_SECONDS))

    def _failed(self, failure: Failure) -> None:
        if self._asking is None:
            # It was cancelled.
            return
        self._asking = None
        error = failure.value
        if isinstance(error, Revoked):
            # Whoever has taken the key would like us to say the contrary for some days more.
            self._octets = b""
        elif not isinstance(error, ResponderError | StatusError):
            self._log.failure("{front}: no OCSP response", failure, front=self._front)
        self._complain(error)
        seconds = RETRY_SECONDS * 2 ** min(self._failures, 10)
        self._failures += 1
        self._later(min(seconds, MOST_RETRY_SECONDS))

    def _complain(self, error: BaseException | None) -> None:
        """Say what is wrong, unless that was said already."""
        if self.current():
            consequence = "the last one is used as long as it holds"
        elif self._must:
            consequence = "clients refuse it without one (must-staple)"
        else:
            consequence = "nothing is stapled"
        said = f"{error}; {consequence}"
        if said == self._said:
            return
        self._said = said
        grave = isinstance(error, Revoked) or (self._must and not self._octets)
        (self._log.error if grave else self._log.warn)(
            "{front}: no OCSP response for {name} from {url}: {why}",
            front=self._front,
            name=self._name,
            url=self._question.url,
            why=said,
        )

    def _later(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds * (0.9 + 0.2 * self._chance()), self._ask)

    def __repr__(self) -> str:
        return f"<Staple {self._name} {len(self.current())} failures={self._failures}>"


def _keyOf(leaf: Any) -> bytes:
    """Tell certificates apart."""
    return bytes(leaf.fingerprint(hashes.SHA256()))


__all__ = [
    "LEAST_SECONDS",
    "MOST_RETRY_SECONDS",
    "MOST_SECONDS",
    "RETRY_SECONDS",
    "SPREAD_SECONDS",
    "Staple",
    "Stapling",
]
