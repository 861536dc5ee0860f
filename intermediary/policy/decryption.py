# -*- test-case-name: tests.policy.test_decryption -*-
"""
Requests from inside of an intercepted connection.

Their clients mean to speak with the server that they opened the connection to, and name
it in C{Host} alone.  Here they become requests of a proxy's client for C{https}, which is
what they would be if clients let a proxy see that much; the rest of the front need not
know the difference.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from ..errors import (
    AuthorityMismatch,
    MethodNotAllowed,
    TLSAlertReceived,
    TLSCertificateError,
    TLSProtocolError,
)
from ..exchange import Reply
from ..wire.message import RequestHead
from ..wire.target import DEFAULT_PORTS, parseAbsolute, parseAuthority

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..errors import IntermediaryError
    from ..exchange import Exchange
    from ..interfaces import Origin
    from ..program import Program

_PORT = DEFAULT_PORTS["https"]

#: What a browser would show a page about, if it had met the server itself.
_EXPLAINED = (TLSAlertReceived, TLSCertificateError, TLSProtocolError)
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{status} No secure connection</title></head>
<body><h1>No secure connection to the server</h1><p>{sentence}</p><p>{detail}</p>
<p>This proxy speaks with the server for you, and sends it nothing as long as this is so. No
setting of your browser changes that; who runs the proxy can tell what is wrong.</p>
<hr><p>intermediary: {token}</p></body></html>
"""


class Decrypted:
    """Chooses the program of what was sent in one connection."""

    def __init__(
        self, route: Callable[[Exchange], Program], origin: Origin, user: str | None
    ) -> None:
        """
        @param route: that of the front.
        @param origin: what the connection was opened to.
        @param user: who the client had proved to be by then.
        """
        self._route = route
        self._host = origin.host.removesuffix(".")
        self._port = origin.port
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        authority = host if origin.port == _PORT else f"{host}:{origin.port}"
        self._prefix = b"https://" + authority.encode("ascii")
        self._user = user

    def __call__(self, exchange: Exchange) -> Program:
        """
        Have it be a request for C{https}, and choose.

        @raise AuthorityMismatch: it is for another host.
        @raise MethodNotAllowed: it is for a proxy.
        """
        request = exchange.request
        assert request is not None
        exchange.user = self._user
        method = request.method
        if method == b"CONNECT":
            raise MethodNotAllowed("CONNECT inside of an intercepted connection")
        path = request.target
        if path == b"*":
            path = b""
        elif not path.startswith(b"/"):
            target = parseAbsolute(path, method)
            if target.scheme != "https":
                raise AuthorityMismatch(f"a target of {target.scheme}")
            self._check(target.host, target.port)
            path = b"" if target.path == b"*" else target.path
        if request.host is not None:
            host, port = parseAuthority(request.host)
            self._check(host, port or _PORT)
        exchange.request = RequestHead(
            method,
            self._prefix + path,
            request.version,
            request.fields,
            request.framing,
            request.keepAlive,
            request.expectsContinue,
            request.host,
        )
        return self._route(exchange)

    def _check(self, host: str, port: int) -> None:
        """Compare what a request is for with what the connection is to."""
        if host.removesuffix(".") != self._host or port != self._port:
            raise AuthorityMismatch(f"for {host}:{port}, in {self._prefix.decode('ascii')}")


class DecryptedReplies:
    """
    Words replies to errors in the place of a server's.

    A browser that meets a bad certificate tells its user what is bad about it.  It does not
    meet it, so this does.
    """

    def __init__(self, replies: Callable[[Exchange, IntermediaryError], Reply]) -> None:
        """
        @param replies: the front's.
        """
        self._replies = replies

    def __call__(self, exchange: Exchange, error: IntermediaryError) -> Reply:
        """Word the reply to an error in the form that the client accepts."""
        reply = self._replies(exchange, error)
        if not isinstance(error, _EXPLAINED):
            return reply
        # Of what the client has asked for itself and what the server says of itself: no
        # address that was looked up is in it.
        detail = error.detail
        sentence = " ".join((type(error).__doc__ or "").split("\n\n")[0].split())
        if reply.fields.get(b"content-type") == b"application/json":
            message = {
                "status": error.status,
                "error": error.token,
                "message": sentence,
                "detail": detail,
            }
            body = json.dumps(message) + "\n"
        else:
            body = _PAGE.format(
                status=error.status,
                sentence=escape(sentence),
                detail=escape(detail),
                token=error.token,
            )
        status = reply.fields.get(b"proxy-status") or b""
        fields = reply.fields.setting(
            b"Proxy-Status", b'%b; details="%b"' % (status, _string(detail))
        )
        # To browsers this is a page of the server's, with all that scripts of it may do.
        fields = fields.setting(b"Content-Security-Policy", b"default-src 'none'")
        return Reply(reply.status, fields, body.encode("utf-8"))


def _string(text: str) -> bytes:
    """Write the inside of a string of a structured field (RFC 8941 §3.3.3)."""
    plain = "".join(each if " " <= each <= "~" else "?" for each in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"').encode("ascii")


__all__ = ["Decrypted", "DecryptedReplies"]
