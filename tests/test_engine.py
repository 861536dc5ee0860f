# -*- test-case-name: tests.test_engine -*-
"""
Exchanges through whole fronts, as transcripts: what everybody hears and when.

What is a connection's is in L{tests.net.test_downstream} and
L{tests.net.test_upstream}, what components see and do in L{tests.test_hooks}
and L{tests.test_mistakes}, and what is tried again in L{tests.test_attempts}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import ConnectionRefused, ConnectTimeout, DestinationProhibited, DNSError
from intermediary.exchange import Reply

from .scenario import DATE, GET, VIA, Scenario


class ReverseTests(SynchronousTestCase):
    """Through a reverse front with one server."""

    def test_aRequestGoesThroughAndTheConnectionStays(self) -> None:
        """Head and content come through, and both connections serve again."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"GET /a?b HTTP/1.1", b"Host: example.org", b"Connection: x", b"X: 1", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(
            b"GET /a?b HTTP/1.1",
            b"Host: example.org",
            VIA,
            b"Forwarded: for=192.0.2.7;host=example.org;proto=http",
            b"X-Forwarded-For: 192.0.2.7",
            b"X-Forwarded-Proto: http",
            b"X-Forwarded-Host: example.org",
            b"",
            b"",
        )
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"hello")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 5", b"", b"hello")
        client.sends(b"GET /b HTTP/1.1", b"Host: example.org", b"", b"")
        origin.gets(b"GET /b HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.gets(b"HTTP/1.1 204 No Content", VIA, DATE, b"", b"")
        self.assertEqual(scenario.outcomes(), [(200, ""), (204, "")])
        self.assertEqual(
            repr(scenario.pool),
            "<Pool size=1 <http://127.0.0.1:9000 idle=1 leased=0 connecting=0 waiting=0>>",
        )

    def test_contentOfKnownLengthIsStreamed(self) -> None:
        """Content is passed on as it arrives, framed by the same length."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"POST / HTTP/1.1", b"Host: a", b"Content-Length: 6", b"", b"abc")
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", b"Host: a", VIA, ..., b"Content-Length: 6", b"", b"abc")
        client.sends(b"def")
        origin.gets(b"def")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 4", b"", b"12")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 4", b"", b"12")
        origin.sends(b"34")
        client.gets(b"34")
        self.assertEqual([(e.octetsIn, e.octetsOut) for e in scenario.records], [(6, 4)])

    def test_chunksAndTrailersGoThroughBothWays(self) -> None:
        """RFC 9112 §7.1: content is de-framed and re-framed, trailers follow it."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1",
            b"Host: a",
            b"Transfer-Encoding: chunked",
            b"",
            b"3;x=y",
            b"abc",
            b"",
        )
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"Transfer-Encoding: chunked", b"", b"3", b"abc", b"")
        client.sends(b"0", b"X-Sum: 7", b"", b"")
        origin.gets(b"0", b"X-Sum: 7", b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"ok", b"")
        client.gets(
            b"HTTP/1.1 200 OK", VIA, DATE, b"Transfer-Encoding: chunked", b"", b"2", b"ok", b""
        )
        origin.sends(b"0", b"X-Sum: 8", b"", b"")
        client.gets(b"0", b"X-Sum: 8", b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 304 Not Modified", b"", b"")
        client.gets(b"HTTP/1.1 304 Not Modified", VIA, DATE, b"", b"")

    def test_nominatedTrailersGo(self) -> None:
        """RFC 9110 §7.6.1: they are fields of the connection as well."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"POST / HTTP/1.1",
            b"Host: a",
            b"Connection: X-A",
            b"Transfer-Encoding: chunked",
            b"",
            b"0",
            b"X-A: 1",
            b"X-B: 2",
            b"",
            b"",
        )
        origin = scenario.accepts()
        origin.gets(b"POST / HTTP/1.1", ..., b"0", b"X-B: 2", b"", b"")
        origin.sends(
            b"HTTP/1.1 200 OK",
            b"Connection: X-C",
            b"Transfer-Encoding: chunked",
            b"",
            b"0",
            b"X-C: 1",
            b"X-D: 2",
            b"",
            b"",
        )
        client.gets(b"HTTP/1.1 200 OK", ..., b"0", b"X-D: 2", b"", b"")

    def test_anOldClientGetsContentUntilTheClose(self) -> None:
        """RFC 9112 §6.3: HTTP/1.0 knows no chunks, so the close ends the content."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"Connection: keep-alive", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", b"Host: a", b"Via: 1.0 test", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"2", b"ok", b"")
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", VIA, DATE, b"", b"ok")
        origin.sends(b"0", b"", b"")
        client.sees("closed")

    def test_contentUntilTheCloseIsChunkedForTheClient(self) -> None:
        """What ends with the origin's connection keeps the client's."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.0 200 OK", b"", b"abc")
        client.gets(
            b"HTTP/1.1 200 OK",
            b"Via: 1.0 test",
            DATE,
            b"Transfer-Encoding: chunked",
            b"",
            b"3",
            b"abc",
            b"",
        )
        origin.ends()
        client.gets(b"0", b"", b"")
        client.sees("")
        self.assertEqual(scenario.outcomes(), [(200, "")])

    def test_headGetsTheLengthButNoContent(self) -> None:
        """RFC 9110 §9.3.2: the length is that of a GET, and nothing follows."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"HEAD / HTTP/1.1", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"HEAD / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 5", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 5", b"", b"")
        client.sends(b"HEAD /2 HTTP/1.1", b"Host: a", b"", b"")
        origin.gets(b"HEAD /2 HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"", b"")
        client.sends(*GET)
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5", b"", b"")
        client.gets(b"HTTP/1.1 304 Not Modified", VIA, DATE, b"Content-Length: 5", b"", b"")

    def test_interimResponsesArePassedOn(self) -> None:
        """RFC 9110 §15.2, RFC 8297: 1xx go to the client before the final head."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(b"HTTP/1.1 103 Early Hints", b"Link: </a>; rel=preload", b"", b"")
        client.gets(b"HTTP/1.1 103 Early Hints", b"Link: </a>; rel=preload", VIA, b"", b"")
        origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", ..., b"", b"")

    def test_anOldClientGetsNoInterimResponses(self) -> None:
        """RFC 9110 §15.2: HTTP/1.0 has none."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.0", b"Host: a", b"", b"")
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        origin.sends(
            b"HTTP/1.1 103 Early Hints", b"", b"HTTP/1.1 200 OK", b"Content-Length: 0", b"", b""
        )
        client.gets(b"HTTP/1.1 200 OK", b"Connection: close", ..., b"", b"")

    def test_expectationsGoEndToEnd(self) -> None:
        """RFC 9110 §10.1.1: the origin decides whether the client may go on."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(
            b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 3", b"Expect: 100-continue", b"", b""
        )
        origin = scenario.accepts()
        origin.gets(
            b"PUT / HTTP/1.1",
            b"Host: a",
            b"Expect: 100-continue",
            VIA,
            ...,
            b"Content-Length: 3",
            b"",
            b"",
        )
        client.getsNothing()
        origin.sends(b"HTTP/1.1 100 Continue", b"", b"")
        client.gets(b"HTTP/1.1 100 Continue", VIA, b"", b"")
        client.sends(b"abc")
        origin.gets(b"abc")
        origin.sends(b"HTTP/1.1 201 Created", b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 201 Created", VIA, DATE, b"Content-Length: 0", b"", b"")

    def test_aDateOfTheOriginStays(self) -> None:
        """RFC 9110 §6.6.1: only a response without one gets ours."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        origin = scenario.accepts()
        origin.gets(b"GET / HTTP/1.1", ..., b"", b"")
        date = b"Date: Sun, 06 Nov 1994 08:49:37 GMT"
        origin.sends(b"HTTP/1.1 200 OK", date, b"Content-Length: 0", b"", b"")
        client.gets(b"HTTP/1.1 200 OK", date, VIA, b"Content-Length: 0", b"", b"")


class FailureTests(SynchronousTestCase):
    """What clients hear when something goes wrong upstream."""

    def test_aRefusedConnectionIsA502(self) -> None:
        """RFC 9209 §2.3.6; the connection to the client goes on."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused("http://127.0.0.1:9000"))
        client.getsError(502, "connection_refused")
        self.assertEqual(scenario.outcomes(), [(502, "connection_refused")])

    def test_theStatusFollowsTheFailure(self) -> None:
        """Time-outs are 504, prohibited destinations 403, lost names 502."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        for error, status in (
            (ConnectTimeout("at 127.0.0.1"), 504),
            (DNSError("at 127.0.0.1"), 502),
            (DestinationProhibited("at 127.0.0.1"), 403),
        ):
            client.sends(*GET)
            scenario.refuses(error)
            client.getsError(status, error.token)

    def test_clientsThatAcceptJSONGetIt(self) -> None:
        """A small document instead of a page."""
        scenario = Scenario(self).reverse()
        client = scenario.client()
        client.sends(b"GET / HTTP/1.1", b"Host: a", b"Accept: application/json", b"", b"")
        scenario.refuses(ConnectionRefused())
        client.gets(
            b"HTTP/1.1 502 Bad Gateway",
            b"Content-Type: application/json",
            ...,
            b"",
            b'{"status": 502, "error": "connection_refused", "message": "The destination refused'
            b' the connection."}\n',
        )

    def test_anErrorThatCannotBeWordedEndsTheConnection(self) -> None:
        """The last steps run all the same."""
        scenario = Scenario(self).reverse()
        scenario.front.front.answer = lambda exchange, error: 1 / 0
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused())
        client.sees("aborted")
        self.assertEqual(scenario.outcomes(), [(0, "connection_refused")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aRouteThatFailsIsA500(self) -> None:
        """There is a reply, though there is no program for the request."""
        scenario = Scenario(self).reverse()
        scenario.front.front.route = lambda exchange: 1 / 0
        client = scenario.client()
        client.sends(*GET)
        client.getsError(500, "proxy_internal_error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_aReplyThatCannotBeWrittenEndsTheConnection(self) -> None:
        """Errors in replies to errors are not answered for ever."""
        scenario = Scenario(self).reverse()
        scenario.front.front.answer = lambda exchange, error: Reply(
            502,
            reason="text",  # type: ignore[arg-type]
        )
        client = scenario.client()
        client.sends(*GET)
        scenario.refuses(ConnectionRefused())
        client.getsNothing()
        client.sees("aborted")
        self.assertEqual([status for status, _ in scenario.outcomes()], [0])
        self.assertTrue(self.flushLoggedErrors(TypeError))
        self.flushLoggedErrors(RuntimeError)  # none where the mistake is found as it is made


class ForwardTests(SynchronousTestCase):
    """Through a forward front."""

    def test_absoluteFormGoesToItsOrigin(self) -> None:
        """RFC 9112 §3.2.2: the target's authority replaces C{Host}."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(
            b"GET http://Example.org:8080/x?y HTTP/1.1",
            b"Host: liar",
            b"Proxy-Connection: a",
            b"Proxy-Authorization: Basic x",
            b"Accept: */*",
            b"",
            b"",
        )
        origin = scenario.accepts("http://example.org:8080")
        origin.gets(b"GET /x?y HTTP/1.1", b"Host: Example.org:8080", b"Accept: */*", VIA, b"", b"")
        origin.sends(
            b"HTTP/1.1 200 OK",
            b"Content-Length: 2",
            b"Proxy-Authenticate: Basic",
            b"Connection: X-Hop",
            b"X-Hop: 1",
            b"Keep-Alive: timeout=5",
            b"",
            b"ok",
        )
        client.gets(b"HTTP/1.1 200 OK", VIA, DATE, b"Content-Length: 2", b"", b"ok")

    def test_eachOriginHasItsOwnConnection(self) -> None:
        """One client, two hosts."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        for host in (b"a.example", b"b.example"):
            client.sends(b"GET http://" + host + b"/ HTTP/1.1", b"Host: " + host, b"", b"")
            origin = scenario.accepts(f"http://{host.decode()}:80")
            origin.gets(b"GET / HTTP/1.1", b"Host: " + host, VIA, b"", b"")
            origin.sends(b"HTTP/1.1 200 OK", b"Content-Length: 2", b"", b"ok")
            client.gets(b"HTTP/1.1 200 OK", ..., b"", b"ok")

    def test_theProxyItselfHasAStatusPage(self) -> None:
        """And nothing else: origin-form is for servers."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(*GET)
        heard = client.takes()
        self.assertTrue(heard.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"forward proxy", heard)
        for line in (b"GET /x", b"POST /", b"OPTIONS *"):
            client.sends(line + b" HTTP/1.1", b"Host: a", b"", b"")
            client.getsError(400, "http_request_error")

    def test_otherSchemesAreRefused(self) -> None:
        """C{ftp} and all that is no C{http}."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        for url in (b"ftp://a/", b"ws://a/"):
            client.sends(b"GET " + url + b" HTTP/1.1", b"Host: a", b"", b"")
            client.getsError(400, "http_request_error")

    def test_httpsIsFetched(self) -> None:
        """With TLS that is verified, and for a key that is not that of http."""
        scenario = Scenario(self).caching().forward()
        client = scenario.client()
        for url, origin in ((b"https://a/", "https://a:443"), (b"http://a/", "http://a:80")):
            client.sends(b"GET " + url + b" HTTP/1.1", b"Host: a", b"", b"")
            self.assertEqual(
                scenario.connector.waiting[0][0].tls is not None, url.startswith(b"https")
            )
            server = scenario.accepts(origin)
            server.gets(b"GET / HTTP/1.1", b"Host: a", VIA, b"", b"")
            server.sends(
                b"HTTP/1.1 200 OK", b"Cache-Control: max-age=9", b"Content-Length: 0", b"", b""
            )
            client.takes()
        [one, other] = sorted(scenario.cache.store._byKey)
        self.assertEqual((one[-9:], other[-10:]), (b"http://a/", b"https://a/"))

    def test_aLoopIsDetected(self) -> None:
        """RFC 9110 §7.6.3, RFC 5842 §7.2: our own pseudonym in C{Via}."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(b"GET http://a/ HTTP/1.1", b"Host: a", b"Via: 1.1 x, 1.1 test", b"", b"")
        client.getsError(508, "proxy_loop_detected")

    def test_theLastHopOfATraceIsHere(self) -> None:
        """RFC 9110 §7.6.2, §9.3.8: without what is secret."""
        scenario = Scenario(self).forward()
        client = scenario.client()
        client.sends(
            b"TRACE http://a/ HTTP/1.1", b"Host: a", b"Cookie: c", b"Max-Forwards: 0", b"", b""
        )
        client.gets(
            b"HTTP/1.1 200 OK",
            b"Content-Type: message/http",
            DATE,
            b"Content-Length: 54",
            b"",
            b"TRACE http://a/ HTTP/1.1",
            b"Host: a",
            b"Max-Forwards: 0",
            b"",
            b"",
        )
        client.sends(b"OPTIONS http://a HTTP/1.1", b"Host: a", b"Max-Forwards: 1", b"", b"")
        origin = scenario.accepts("http://a:80")
        origin.gets(b"OPTIONS * HTTP/1.1", b"Host: a", b"Max-Forwards: 0", VIA, b"", b"")
        origin.sends(b"HTTP/1.1 204 No Content", b"", b"")
        client.gets(b"HTTP/1.1 204 No Content", ..., b"", b"")
