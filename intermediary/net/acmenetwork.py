# -*- test-case-name: tests.net.test_acmeclient -*-
"""
How certbot's library reaches an ACME server: in bounded time, by answers of bounded
size, and not any more once it is abandoned.
"""

from __future__ import annotations

import datetime as dt
import io
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import requests
from acme import messages
from acme.client import ClientNetwork
from josepy.jwa import ES256
from requests.adapters import HTTPAdapter

from .. import __version__
from .acmeproblems import Abandoned
from .truststore import trustedFiles

if TYPE_CHECKING:
    import threading

#: How long the server may say nothing, in seconds.
SILENCE_SECONDS: Final = 20
#: More than any answer of a server has.
_LARGEST_OCTETS: Final = 1 << 20
#: How often a request is sent again because its nonce was used up (RFC 8555 §6.5).
_NONCES: Final = 5


class _Adapter(HTTPAdapter):
    """
    Bounds what comes back.

    @ivar retryAfterSeconds: what the last answer had in C{Retry-After}.
    """

    def __init__(self, abandoned: threading.Event) -> None:
        self._abandoned = abandoned
        self.retryAfterSeconds = 0.0
        super().__init__()

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        """See C{HTTPAdapter.send}."""
        if self._abandoned.is_set():
            raise Abandoned
        options["stream"] = True
        response = super().send(*arguments, **options)
        self.retryAfterSeconds = retryAfter(response.headers.get("Retry-After", ""))
        raw: Any = response.raw
        try:
            octets = raw.read(_LARGEST_OCTETS + 1, decode_content=True)
        finally:
            raw.close()
        if len(octets) > _LARGEST_OCTETS:
            raise requests.exceptions.ContentDecodingError("the answer is larger than 1 MiB")
        response.raw = io.BytesIO(octets)
        return response


class Network(ClientNetwork):
    """
    What the library sends by.

    It does not give up on nonces so soon.
    """

    def __init__(self, key: Any, ca: str, abandoned: threading.Event) -> None:
        """
        @param key: the account's, for P-256.
        @param ca: a file of certificates that are trusted; empty for L{the
            system's<intermediary.net.truststore>}.
        @param abandoned: nothing is sent once this is set.
        """
        super().__init__(
            key, alg=ES256, user_agent=f"intermediary/{__version__}", timeout=SILENCE_SECONDS
        )
        file, folder = trustedFiles()
        # This is handed on to requests, which takes a file or a folder as well.
        self.verify_ssl = ca or file or folder or True  # type: ignore[assignment]
        self._adapter = _Adapter(abandoned)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, self._adapter)

    @property
    def retryAfterSeconds(self) -> float:
        """What the last answer had in C{Retry-After}."""
        return self._adapter.retryAfterSeconds

    def post(self, *arguments: Any, **options: Any) -> requests.Response:
        """See C{ClientNetwork.post}, which tries twice."""
        for _ in range(_NONCES):
            try:
                return super().post(*arguments, **options)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*arguments, **options)


def retryAfter(text: str, now: dt.datetime | None = None) -> float:
    """
    Read a C{Retry-After} (RFC 9110 §10.2.3).

    @return: seconds; 0 for what is no time.
    """
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return max(0.0, (at - (now or dt.datetime.now(dt.UTC))).total_seconds())


__all__ = ["SILENCE_SECONDS", "Network", "retryAfter"]
