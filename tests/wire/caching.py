# -*- test-case-name: tests.wire.test_freshness -*-
"""
Exchanges for the tests of the rules of a cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from intermediary.wire.dates import formatDate
from intermediary.wire.fields import Fields
from intermediary.wire.freshness import Freshness, evaluate
from intermediary.wire.rules import CacheRules
from intermediary.wire.storing import readControl, whyNotStored

from .rfc9111 import Exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

#: When responses are received in tests.
NOW = 1_800_000_000.0

DEFAULTS = CacheRules()


def fieldsOf(fields: Mapping[str, str]) -> Fields:
    """Make a section of names and values."""
    return Fields.fromPairs(
        [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields.items()]
    )


def dated(offset: float) -> str:
    """Write a date so many seconds after L{NOW}."""
    return formatDate(NOW + offset).decode("ascii")


def why(
    response: Mapping[str, str],
    *,
    request: Mapping[str, str] | None = None,
    method: bytes = b"GET",
    status: int = 200,
    rules: CacheRules = DEFAULTS,
    ownLocation: bool = False,
) -> str | None:
    """Ask whether a response may be stored."""
    fields = fieldsOf(response)
    return whyNotStored(
        method,
        fieldsOf(request or {}),
        status,
        fields,
        readControl(fields, rules),
        rules,
        ownLocation,
    )


def evaluated(
    response: Mapping[str, str],
    *,
    status: int = 200,
    rules: CacheRules = DEFAULTS,
    requestTime: float = NOW,
    responseTime: float = NOW,
) -> Freshness:
    """Evaluate a response."""
    fields = fieldsOf(response)
    return evaluate(status, fields, readControl(fields, rules), rules, requestTime, responseTime)


_SECONDS = st.sampled_from([0, 1, 5, 10, 11, 60, 3600, 2**31 - 1, 2**31, 10**12])
_ARGUMENTS = _SECONDS.map(str) | st.sampled_from(["-1", "x", "1.5"])
_DATES = st.sampled_from([-100000, -3600, -10, -1, 0, 1, 10, 3600]).map(dated)


def _joined(*names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(*names), unique_by=lambda text: text.partition("=")[0]).map(", ".join)


def _valued(*names: str) -> st.SearchStrategy[str]:
    return st.tuples(st.sampled_from(names), _ARGUMENTS).map("=".join)


_RESPONSE_CONTROL = _joined(
    _valued("max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "foo"),
    st.sampled_from(
        [
            "public",
            "private",
            "no-store",
            "no-cache",
            "must-revalidate",
            "proxy-revalidate",
            "must-understand",
            "immutable",
            "no-transform",
        ]
    ),
)
_REQUEST_CONTROL = _joined(
    _valued("max-age", "max-stale", "min-fresh", "stale-if-error"),
    st.sampled_from(["no-cache", "no-store", "only-if-cached", "max-stale"]),
)


def _optional(
    required: dict[str, st.SearchStrategy[str]],
) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({}, optional=required)


requests = _optional(
    {
        "cache-control": _REQUEST_CONTROL,
        "pragma": st.sampled_from(["no-cache", "foo"]),
        "authorization": st.just("Basic YTpi"),
    }
)
responses = _optional(
    {
        "cache-control": _RESPONSE_CONTROL,
        "date": _DATES | st.just("foo"),
        "expires": _DATES | st.just("0"),
        "last-modified": _DATES,
        "age": _ARGUMENTS,
        "set-cookie": st.just("a=b"),
    }
)
exchanges = st.builds(
    Exchange,
    method=st.sampled_from(["GET", "HEAD", "POST", "FOO"]),
    request=requests,
    status=st.sampled_from([200, 203, 204, 300, 301, 302, 304, 404, 410, 500, 503, 599]),
    response=responses,
    requested=st.sampled_from([NOW - 7, NOW]),
    received=st.just(NOW),
)
#: When a response is asked for again.
moments = st.sampled_from([0.0, 0.5, 1, 3, 4.5, 10, 12, 59, 61, 3599, 3601, 86400]).map(
    lambda seconds: NOW + seconds
)
