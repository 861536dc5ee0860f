# -*- test-case-name: tests.net.test_acmeproblems -*-
"""
What keeps certificates from being obtained, in words that a person can act on.

Authorities say what is wrong by the types of RFC 8555 §6.7; what to do about them is
here.
"""

from __future__ import annotations

from typing import Final

#: Of what an authority says, no more goes into the log.
_LONGEST: Final = 400

#: What to do about a challenge that failed.
_PORTS: Final = {
    "http-01": "port 80 of the name, from the whole internet, must lead to a front without TLS",
    "tls-alpn-01": "port 443 of the name, from the whole internet, must lead to this front, and "
    "whatever is between must not end TLS",
}
_LOOKUP = "let the name have an A or AAAA record of this host, and none that leads elsewhere"
_REMEDIES: Final = {
    "accountDoesNotExist": "a new account is made with the next attempt",
    "caa": "the CAA record of the name has to allow this authority, or be gone",
    "dns": _LOOKUP,
    "dnssec": "mend the DNSSEC of the name's zone",
    "unknownHost": _LOOKUP,
    "rateLimited": 'wait, and try with directory = "letsencrypt-staging" until all is well',
    "rejectedIdentifier": "this authority has no certificates for such a name: leave it out",
    "unsupportedIdentifier": "this authority has no certificates for such a name: leave it out",
    "invalidContact": "write an address in email that exists",
    "unsupportedContact": "write an address in email that exists",
    "externalAccountRequired": "use an authority that needs no account made elsewhere",
    "badCSR": "try the other kind of key",
    "badPublicKey": "try the other kind of key",
    "serverInternal": "it is the authority's fault: wait",
    "userActionRequired": "the terms have changed: read and accept them as the authority says",
}
#: What goes wrong in looking at a name.
_VALIDATION: Final = frozenset({"connection", "incorrectResponse", "tls", "unauthorized"})
#: What is about us, and so about every name.
_COMMON: Final = frozenset(
    {
        "accountDoesNotExist",
        "externalAccountRequired",
        "invalidContact",
        "serverInternal",
        "unsupportedContact",
        "userActionRequired",
    }
)


class AcmeError(Exception):
    """
    There is no certificate this time.

    @ivar reason: why.
    @ivar remedy: what to do about it.
    @ivar common: whether it would be the same for every name.
    @ivar code: what the authority calls it (RFC 8555 §6.7); may be empty.
    @ivar retryAfterSeconds: how long the authority wants to be left alone.
    """

    def __init__(
        self,
        reason: str,
        remedy: str,
        *,
        common: bool = False,
        code: str = "",
        retryAfterSeconds: float = 0.0,
    ) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy
        self.common = common
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds


class Abandoned(Exception):
    """The process stops, and nobody waits for a certificate any more."""


def refused(
    code: str, detail: str, challenge: str = "", retryAfterSeconds: float = 0.0
) -> AcmeError:
    """
    Make an error of what an authority says.

    @param code: the type, without what is before the last colon.
    @param detail: in its own words.
    @param challenge: the type of the challenge that failed; empty if it was none.
    """
    # It stands in a log.
    detail = "".join(each if each.isprintable() else " " for each in detail)[:_LONGEST].strip()
    what = f"the authority says {code or 'that it will not'}"
    if challenge:
        what = f"the authority did not find the answer to its {challenge} challenge ({code})"
    remedy = _REMEDIES.get(code, "see what the authority writes about that")
    if challenge and code in _VALIDATION:
        remedy = _PORTS[challenge]
    return AcmeError(
        f"{what}: {detail}" if detail else what,
        remedy,
        common=code in _COMMON,
        code=code,
        retryAfterSeconds=retryAfterSeconds,
    )


def unreachable(directory: str, why: str, retryAfterSeconds: float = 0.0) -> AcmeError:
    """Make an error of a server that can't be talked with."""
    return AcmeError(
        f"no ACME server can be talked with at {directory}: {why[:_LONGEST]}",
        "look at directory, at ca if it is one of yours, and whether this host may connect there",
        common=True,
        retryAfterSeconds=retryAfterSeconds,
    )


__all__ = ["Abandoned", "AcmeError", "refused", "unreachable"]
