# -*- test-case-name: tests.wire.test_http1 -*-
"""
Octets to messages: the readers of HTTP/1.0 and 1.1 (RFC 9112).

A reader is handed what a connection delivers and returns what that means, as a
list of events: a head, pieces of content, an L{End}.  It calls nobody.  However
the same octets are cut, the events are the same, but that content may come in
more pieces; nothing malformed is repaired, and a reader that has raised is
dead.

A head that arrives in one piece and is valid takes the short way, two regular
expressions; all others go through L{intermediary.wire.section}.
"""

from __future__ import annotations

from .request import EMPTY_LINES, RequestEvent, RequestReader
from .response import ResponseEvent, ResponseReader

__all__ = ["EMPTY_LINES", "RequestEvent", "RequestReader", "ResponseEvent", "ResponseReader"]
