# -*- test-case-name: tests.policy.test_cachesequences -*-
"""
What is in the messages of random sequences: see L{tests.policy.cachedrawing}.
"""

from __future__ import annotations

TARGETS = ("/a",) * 16 + ("/%61", "/./a", "/b", "/b", "/a?q", "/c/d")
HOSTS = ("A.EXAMPLE", "a.example:80", "b.example", "b.example", "a.example:8080", "a.example.")
QUERIES = (
    "/a", "/a?", "/a?x=1", "/a?x=2", "/a?x", "/a?x=1&y=2", "/a?y=2&x=1", "/a?x=2&y=1&x=1", "/a?x=1&x=2&y=1", "/a?q",
    "/a?y&x", "/a?utm_a=1&y=2", "/%61?y=2", "/b?x=%61", "/b?x=a",
)  # fmt: skip
SECONDS = ("0", "1", "5", "10", "10", "30", "60", "60", "100", "3600")
MALFORMED = ("abc", "-1", '"60"', "1.5", "", " 5", "99999999999", "1e3")
STATUSES = (200,) * 60 + (204, 301, 302, 404, 410, 500, 503, 503) * 2 + (
    201, 203, 299, 300, 303, 307, 308, 400, 401, 403, 404, 405, 412, 414, 418, 425, 429, 451, 501, 502,
    503, 504, 511, 599,
)  # fmt: skip
METHODS = ("POST",) * 5 + ("PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "FOO")
#: Dates of when a sequence begins, or nearly so, in other forms; and what is none.
DATES = (
    "Sunday, 09-Sep-01 01:46:50 GMT", "Sun Sep  9 01:46:45 2001", "sun, 09 SEP 2001 01:46:30 gmt",
    "Mon, 09 Sep 2001 01:47:00 GMT", "Sun, 09 Sep 2001 01:46:50 UTC", "Sun, 9 Sep 2001 01:46:50 GMT",
    "Sun, 09 Sep 2001 1:46:50 GMT", "Sun, 31 Feb 2001 01:46:50 GMT", "x", "0",
)  # fmt: skip
TAGS = ('"t1"', '"t1"', '"t2"', 'W/"t1"', 'W/"t3"')
PASSING = (1, 1, 2, 3, 5, 5, 7, 10, 11, 20, 31, 61, 61, 100, 130, 600, 3500, 3700)

REQUEST_CONTROL = (
    "no-cache", "no-cache", "no-store", "max-age=0", "max-age=5", "max-age=20", "max-age=60",
    "max-stale", "max-stale=5", "max-stale=60", "min-fresh=5", "min-fresh=30", "only-if-cached",
    "stale-if-error=10", "stale-if-error=9999", "no-transform", "MAX-AGE=10", "max-age=x",
    "max-stale=x", "min-fresh=x", "no-store=1", "foo=bar", "max-age=5, max-age=50", ",",
    "max-stale, max-age=40", "min-fresh=5, max-stale=10", 'max-age="7"',
)  # fmt: skip
RESPONSE_CONTROL = (
    "public", "public", "private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate",
    "stale-while-revalidate=10", "stale-while-revalidate=60", "stale-while-revalidate=x",
    "stale-if-error=10", "stale-if-error=5000", "must-understand", "no-store, must-understand",
    "immutable", "no-transform", 'private="x-secret"', 'no-cache="x-secret, set-cookie"',
    "no-cache=x-secret", "no-store=0", "PUBLIC", "Private", 'foo="a, no-store"', "must-revalidate=1",
    'private=""', "no-store x", "stale-if-error",
)  # fmt: skip
TARGETED = (
    "max-age=30", "max-age=30, public", "no-store", "private", "max-age=abc", "MAX-AGE=5", "",
    "max-age=0", "no-cache", "max-age=5.5", "max-age=-5", "no-store=?0, max-age=20",
    "stale-while-revalidate=10, max-age=5", "max-age=10;x=1", "must-revalidate, max-age=5",
    "max-age=5, max-age=50", "s-maxage=20", "max-age=60,",
)  # fmt: skip
VARIES = ("X-Vary",) * 4 + ("Accept-Language",) * 3 + (
    "Accept-Language, X-Vary", "x-vary, x-vary", "*", "X-Vary, *", "a b", ",", "Authorization",
    "Accept-Encoding", "Accept-Encoding", "accept-encoding, x-vary", "Cookie", "X_Vary",
)  # fmt: skip
LANGUAGES = ("en", "de", "en, de", "de,en", "EN", "en,,de", "fr", "en;q=0.5, de", "de;q=0.8,en;q=0.9",
    "de; Q=1.0", "en;q=0", "*", "*, en;q=0.1", "en;level=1, de", "en;q=2, de")  # fmt: skip
ENCODINGS = ("gzip", "gzip", "br, gzip", "gzip,br", "x-gzip", "gzip;q=0.5, br", "identity", "")
VALUES = ("a", "a", "b", "a, b", "a,b", "")
RANGES = (
    "bytes=0-3", "bytes=2-", "bytes=-4", "bytes=5-1000", "bytes=900-", "bytes=0-0,2-3", "bytes=x",
    "items=0-1", "bytes=3-1", "bytes=-0", "BYTES=1-2", "bytes=", "bytes=0-1,900-",
)  # fmt: skip
#: Those of who asks for one part after the other, of twelve octets or of very many.
PARTS = ("bytes=0-3", "bytes=4-7", "bytes=8-") * 3 + (
    "bytes=0-3", "bytes=0-3", "bytes=2-5", "bytes=-4", "bytes=-8", "bytes=0-7", "bytes=1-2",
    "bytes=5-5", "bytes=0-11", "bytes=0-1,6-7", "bytes=0-150", "bytes=150-",
)  # fmt: skip
#: Those of who asks for several, of content that is long enough for that.
SEVERAL = (
    "bytes=0-3,150-", "bytes=150-,0-3", "bytes=-2,0-3,95-95", "bytes=0-0,-9,5-6,900-", "bytes=-5,-6,0-4",
    "bytes=0-9,90-91", "bytes=0-9,91-92,20-20", "bytes=900-,100-,0-0", "bytes=10-12,110-112",
)  # fmt: skip
#: How an origin answers a request for a range.
RANGED = ("part",) * 20 + ("few",) * 4 + (
    "whole", "whole", "less", "more", "careless", "unsatisfied", "short", "unknown", "several",
)  # fmt: skip
COOKIES = (
    "lang=de", "lang=en", "lang=", "sess=1", "sess=1; lang=de", "lang=de; lang=en", "x=y", "lang",
    'a="; lang=de', "x=y; lang=de",
)  # fmt: skip
DEVICES = ("tv", "tv", "radio", "tv, big", "")
LOCATIONS = (
    "/a", "/b", "/b", "b", "HERE/a", "HERE/b#f", "//HOST/a", "http://other/a", "//other/b", "/%62", "/a?x=9", "/a?y=2&x=7",
    "http://[", "", "?q",
)  # fmt: skip
