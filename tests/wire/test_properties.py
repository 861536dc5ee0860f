# -*- test-case-name: tests.wire.test_properties -*-
"""
What holds for all octets.

C{INTERMEDIARY_HYPOTHESIS=long} in the environment looks for counterexamples for
minutes instead of seconds.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.errors import WireError
from intermediary.settings import Limits
from intermediary.wire.fields import Fields, parseFields
from intermediary.wire.forwarding import (
    HOP_BY_HOP,
    appendForwarded,
    appendVia,
    deriveRequest,
    deriveResponse,
    maxForwards,
    stripHopByHop,
    viaContains,
)
from intermediary.wire.http1 import RequestReader, ResponseReader
from intermediary.wire.message import NO_BODY, UNTIL_CLOSE, End, RequestHead, ResponseHead
from intermediary.wire.target import parseAbsolute, parseAuthority

from .feeding import Event, each, feedRequests, feedResponses, pieces
from .refusals import LIMITS
from .strategies import (
    Message,
    cuts,
    hosts,
    pairs,
    requestOctets,
    requests,
    responseOctets,
    responses,
    sections,
    tokens,
)

_METHODS = st.lists(st.sampled_from([b"GET", b"HEAD", b"CONNECT"]), min_size=1, max_size=3)

#: A piece that is read while a small head is held.
_PIECE = 64


class RoundTripTests(SynchronousTestCase):
    """What is written is read."""

    @given(requests(), cuts)
    def test_requests(self, message: Message, places: list[int]) -> None:
        """Encoding and reading a request gives the request, in any pieces."""
        outcome = feedRequests(pieces(message.octets, places))
        self.assertIsNone(outcome.error)
        self.assertEqual(outcome.events, message.events)
        self.assertEqual(outcome.held, 0)

    @given(st.lists(requests(), min_size=1, max_size=4), cuts)
    def test_pipelines(self, messages: list[Message], places: list[int]) -> None:
        """Requests one after the other are read one after the other."""
        octets = b"".join(message.octets for message in messages)
        outcome = feedRequests(pieces(octets, places))
        self.assertIsNone(outcome.error)
        self.assertEqual(
            outcome.events, [event for message in messages for event in message.events]
        )

    @given(responses(), cuts)
    def test_responses(self, message: Message, places: list[int]) -> None:
        """Encoding and reading a response gives the response, in any pieces."""
        outcome = feedResponses(pieces(message.octets, places), [message.method])
        self.assertIsNone(outcome.error)
        self.assertEqual(outcome.events, message.events)
        self.assertEqual(outcome.held, 0)

    @given(sections)
    def test_fields(self, fields: Fields) -> None:
        """A section that is encoded and parsed is the same."""
        parsed = parseFields(fields.encoded + b"\r\n")
        assert parsed is not None
        self.assertEqual(parsed[0], fields)
        self.assertEqual(parsed[0].index, fields.index)


class AnyOctetsTests(SynchronousTestCase):
    """No octets do harm, and no cut makes a difference."""

    @given(requestOctets, cuts)
    def test_requests(self, octets: bytes, places: list[int]) -> None:
        """Events, error and what is held are the same however octets are cut."""
        for limits in (Limits(), LIMITS):
            whole = feedRequests([octets], limits)
            for data in (pieces(octets, places), each(octets)):
                cut = feedRequests(data, limits)
                self.assertEqual(cut.events, whole.events)
                self.assertEqual(cut.error, whole.error)
                self.assertEqual(cut.held, whole.held)

    @given(responseOctets, cuts, _METHODS)
    def test_responses(self, octets: bytes, places: list[int], methods: list[bytes]) -> None:
        """
        The same for responses.

        Only to one request: whether octets come unasked depends on when the
        next request is sent.
        """
        for limits in (Limits(), LIMITS):
            for eof in (False, True):
                whole = feedResponses([octets], methods[:1], eof, limits)
                for data in (pieces(octets, places), each(octets)):
                    cut = feedResponses(data, methods[:1], eof, limits)
                    self.assertEqual(cut.events, whole.events)
                    self.assertEqual(cut.error, whole.error)
                    self.assertEqual(cut.held, whole.held)

    @given(responseOctets, cuts, _METHODS)
    def test_severalResponses(self, octets: bytes, places: list[int], methods: list[bytes]) -> None:
        """Octets that are read as several answers raise nothing but L{WireError}."""
        feedResponses(pieces(octets, places), methods)

    @given(st.lists(requestOctets, max_size=5).map(b"".join))
    def test_heldIsBounded(self, octets: bytes) -> None:
        """What a reader holds is within its limits and the piece it was given."""
        data = pieces(octets, range(0, len(octets), _PIECE))
        bound = LIMITS.headerOctets + _PIECE
        # In a tunnel all is held, until who asked for it takes it.
        outcome = feedRequests(data, LIMITS)
        if not _hasTunnel(outcome.events):
            self.assertTrue(outcome.mostHeld <= bound, outcome.mostHeld)

    @given(requestOctets)
    def test_whatIsTakenIsSane(self, octets: bytes) -> None:
        """Of any events, heads and ends alternate, and heads are what they say."""
        outcome = feedRequests([octets], LIMITS)
        open_ = False
        content = 0
        for event in outcome.events:
            if isinstance(event, RequestHead):
                self.assertFalse(open_)
                open_, content, framing = True, 0, event.framing
                self.assertIn(event.version, (10, 11))
                self.assertEqual(event.host is None, b"host" not in event.fields)
                self.assertTrue(event.version == 10 or event.host)
                self.assertNotIn(b"#", event.target)
                for name, value in event.fields:
                    Fields.fromPairs([(name, value)])
            elif isinstance(event, End):
                self.assertTrue(open_)
                open_ = False
                if framing >= 0:
                    self.assertEqual(content, framing)
            else:
                assert isinstance(event, bytes)
                self.assertTrue(open_)
                content += len(event)
                self.assertTrue(content <= 1000)

    @given(responseOctets, _METHODS)
    def test_whatIsTakenOfResponsesIsSane(self, octets: bytes, methods: list[bytes]) -> None:
        """An end comes after a final head and its content, and never after a 1xx."""
        outcome = feedResponses([octets], methods[:1])
        final = None
        content = 0
        for event in outcome.events:
            if isinstance(event, ResponseHead):
                self.assertIsNone(final)
                self.assertTrue(100 <= event.status <= 999)
                if event.status >= 200:
                    final = event
                else:
                    self.assertEqual(event.framing, NO_BODY)
                if event.framing == UNTIL_CLOSE:
                    self.assertFalse(event.keepAlive)
            elif isinstance(event, End):
                assert final is not None
                if final.framing >= 0:
                    self.assertEqual(content, final.framing)
            else:
                assert isinstance(event, bytes)
                content += len(event)


def _hasTunnel(events: list[Event]) -> bool:
    return any(isinstance(event, RequestHead) and event.method == b"CONNECT" for event in events)


_authorities = st.one_of(
    st.text("aA0.-_~:[]%@/\\, \x00\xe4", max_size=12).map(lambda text: text.encode("latin-1")),
    hosts,
    st.binary(max_size=12),
)


class FunctionTests(SynchronousTestCase):
    """The pure functions take anything that a reader lets through."""

    @given(_authorities, st.booleans())
    def test_authorities(self, octets: bytes, portRequired: bool) -> None:
        """An authority is taken or refused; what is taken is clean."""
        try:
            host, port = parseAuthority(octets, portRequired)
        except WireError as error:
            self.assertEqual(error.status, 400)
            return
        self.assertTrue(host.isascii() and host == host.lower() and host)
        self.assertFalse(set(host) & set("[]@/\\%, \x00\r\n"))
        self.assertTrue(port is None or 0 < port < 65536)
        self.assertTrue(port is not None or not portRequired)
        # A resolver must not fail in ways that nobody expects.
        host.encode("idna")

    @given(
        st.builds(
            lambda start, rest: start + rest, st.sampled_from([b"http://", b""]), _authorities
        )
    )
    def test_absoluteTargets(self, octets: bytes) -> None:
        """A target is taken or refused; what is taken can be put together again."""
        try:
            target = parseAbsolute(octets)
        except WireError as error:
            self.assertEqual(error.status, 400)
            return
        self.assertTrue(target.path.startswith(b"/"))
        self.assertEqual(parseAuthority(target.authority)[0], target.host)
        again = parseAbsolute(
            b"%b://%b%b" % (target.scheme.encode(), target.authority, target.path)
        )
        self.assertEqual(again, target)

    _messages = st.lists(
        pairs
        | st.tuples(
            st.sampled_from(
                [b"Connection", b"Via", b"Forwarded", b"X-Forwarded-For", b"Max-Forwards"]
            ),
            st.sampled_from(
                [b"close", b"Via, X", b"1.1 a (b", b"for=a", b"1", b"", b"host,x,", b"1.1 me"]
            )
            | pairs.map(lambda pair: pair[1]),
        )
        | st.tuples(st.sampled_from(sorted(HOP_BY_HOP)), pairs.map(lambda pair: pair[1])),
        max_size=8,
    ).map(Fields.fromPairs)

    @given(_messages, st.sampled_from([10, 11]), tokens)
    def test_deriving(self, message: Fields, version: int, pseudonym: bytes) -> None:
        """One pass is the same as two, and nothing hop-by-hop or ambiguous is left."""
        for derive in (deriveRequest, deriveResponse):
            derived = derive(message, version, pseudonym)
            self.assertEqual(derived, appendVia(stripHopByHop(message), version, pseudonym))
            self.assertEqual(derived.encoded, Fields(derived.pairs).encoded)
            self.assertTrue(HOP_BY_HOP.isdisjoint(derived.index))
            self.assertEqual(len(derived.getAll(b"via")), 1)
            Fields.fromPairs(derived.pairs)
            parsed = parseFields(derived.encoded + b"\r\n")
            assert parsed is not None
            self.assertEqual(parsed[0], derived)

    @given(_messages, tokens)
    def test_loopsAreSeen(self, message: Fields, pseudonym: bytes) -> None:
        """Whatever C{Via} others sent, our own entry in it is found again."""
        derived = deriveRequest(message, 11, pseudonym)
        self.assertTrue(viaContains(derived, pseudonym))
        self.assertTrue(viaContains(deriveRequest(derived, 11, b"other"), pseudonym))

    @given(_messages, st.sampled_from(["192.0.2.1", "2001:db8::1", ""]), st.booleans())
    def test_forwarded(self, message: Fields, peer: str, trusted: bool) -> None:
        """There is one line of each field, and the peer is the last word of it."""
        derived = appendForwarded(message, peer, b"a.example:80", b"http", trusted)
        Fields.fromPairs(derived.pairs)
        [addresses] = derived.getAll(b"x-forwarded-for")
        self.assertTrue(addresses.endswith(peer.encode() or b"unknown"))
        [chain] = derived.getAll(b"forwarded")
        self.assertTrue(chain.endswith(b';host="a.example:80";proto=http'))

    @given(_messages)
    def test_maxForwards(self, message: Fields) -> None:
        """A number, nothing, or a 400."""
        try:
            count = maxForwards(message)
        except WireError as error:
            self.assertEqual(error.status, 400)
        else:
            self.assertTrue(count is None or count >= 0)


_LINES = st.lists(
    st.sampled_from(
        [
            b"Host: a",
            b"Content-Length: 0",
            b"Content-Length: 3",
            b"Transfer-Encoding: chunked",
            b"Connection: close",
            b"Connection: keep-alive",
            b"Expect: 100-continue",
            b"A:b",
            b"C: d",
        ]
    ),
    max_size=4,
)
_REQUEST_LINES = st.builds(
    b"%b %b HTTP/1.%d".__mod__,
    st.tuples(
        st.sampled_from([b"GET", b"POST", b"CONNECT", b"TRACE", b"OPTIONS"]),
        st.sampled_from([b"/", b"/" + b"a" * 980, b"*", b"a:1", b"http://a/"]),
        st.integers(0, 1),
    ),
)
_STATUS_LINES = st.builds(
    b"HTTP/1.%d %d%b".__mod__,
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([100, 101, 200, 204, 304]),
        st.sampled_from([b"", b" OK", b" " + b"a" * 980]),
    ),
)


class MemoryTests(SynchronousTestCase):
    """A reader that remembers fields reads as one that never saw any."""

    limits = Limits(headerOctets=1024, bodyOctets=2)

    @given(_LINES, st.lists(_REQUEST_LINES, min_size=3, max_size=6))
    def test_requests(self, block: list[bytes], starts: list[bytes]) -> None:
        """Whatever requests have the same field block one after the other."""
        fields = b"".join(line + b"\r\n" for line in block) + b"\r\n"
        reader = RequestReader(self.limits)
        for start in starts:
            octets = start + b"\r\n" + fields
            fresh = feedRequests([octets], self.limits)
            try:
                events = reader.receive(octets)
            except WireError as error:
                assert fresh.error is not None
                self.assertEqual(error.detail, fresh.error[2])
                return
            self.assertIsNone(fresh.error)
            self.assertEqual(events, fresh.events)
            if not isinstance(events[-1], End):
                octets = b"0\r\n\r\n" if b"chunked" in fields else b"abc"
                self.assertIsInstance(reader.receive(octets)[-1], End)
            reader.resume()

    @given(_LINES, st.lists(st.tuples(_STATUS_LINES, _METHODS), min_size=2, max_size=6))
    def test_responses(self, block: list[bytes], answers: list[tuple[bytes, list[bytes]]]) -> None:
        """Whatever responses have the same field block one after the other."""
        fields = b"".join(line + b"\r\n" for line in block) + b"\r\n"
        reader = ResponseReader(self.limits)
        for start, [method, *_] in answers:
            octets = start + b"\r\n" + fields
            fresh = feedResponses([octets], [method], False, self.limits)
            if reader.held == 0:
                try:
                    reader.expect(method)
                except RuntimeError:
                    return
            try:
                events = reader.receive(octets)
            except WireError as error:
                assert fresh.error is not None
                self.assertEqual(error.detail, fresh.error[2])
                return
            self.assertIsNone(fresh.error)
            self.assertEqual(events, fresh.events)


class ModelTests(SynchronousTestCase):
    """L{Fields} against lists of pairs."""

    @given(st.lists(st.tuples(st.sampled_from([b"a", b"A", b"b", b"C"]), tokens), max_size=8))
    def test_fields(self, lines: list[tuple[bytes, bytes]]) -> None:
        """Lookups and changes are those of the list."""
        fields = Fields.fromPairs(lines)
        for name in (b"a", b"b", b"c", b"d"):
            all_ = [value for key, value in lines if key.lower() == name]
            self.assertEqual(fields.getAll(name), all_)
            self.assertEqual(fields.get(name), b", ".join(all_) if all_ else None)
            self.assertEqual(name in fields, bool(all_))
            rest = [pair for pair in lines if pair[0].lower() != name]
            self.assertEqual(fields.without({name}).pairs, rest)
            put = fields.setting(name, b"x")
            self.assertEqual(put.getAll(name), [b"x"])
            self.assertEqual(put.without({name}).pairs, rest)
            self.assertEqual(fields.adding((name, b"x")).pairs, [*lines, (name, b"x")])
