# -*- test-case-name: tests.ops.test_logformat -*-
"""Tests of L{intermediary.ops.logformat}."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from intermediary.clientcertificate import ClientCertificate
from intermediary.errors import ConnectionRefused
from intermediary.exchange import SERVER_NAME, Reply
from intermediary.interfaces import Origin
from intermediary.ops.logformat import COMBINED, VARIABLES, compileFormat, quote
from intermediary.ops.logline import CombinedLine, Times
from intermediary.ops.values import Unfit
from intermediary.wire.fields import Fields
from intermediary.wire.message import NO_BODY, RequestHead

from .exchanges import ended, failed

if TYPE_CHECKING:
    from intermediary.exchange import Exchange

TIMES = Times(1795420000, "23/Nov/2026:07:46:40 +0000", "2026-11-23T07:46:40+00:00")

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def line(form: str, exchange: Exchange) -> str:
    """The line of an exchange."""
    return compileFormat(form).render(exchange, TIMES)


class CombinedTests(SynchronousTestCase):
    """The format that every tool reads."""

    def test_asApacheAndNginxWriteIt(self) -> None:
        """Peer, user, time, request, status, octets, referer, agent."""
        fields = {b"Referer": b"http://x/", b"User-Agent": b"curl/8"}
        self.assertEqual(
            line("combined", ended(fields=fields)),
            "192.0.2.7 - - [23/Nov/2026:07:46:40 +0000] "
            '"GET http://example.org/ HTTP/1.1" 200 1024 "http://x/" "curl/8"\n',
        )

    @patient
    @given(
        st.tuples(
            st.sampled_from([b"GET", b"POST"]),
            st.binary(min_size=1, max_size=9),
            st.dictionaries(
                st.sampled_from([b"Referer", b"User-Agent", b"Accept"]), st.binary(max_size=300)
            ),
            st.sampled_from([10, 11]),
            st.sampled_from(["", "192.0.2.7", "2001:db8::1"]),
            st.sampled_from([None, "", "a", 'a"b', "\xfc"]),
            st.integers(0, 1 << 40),
            st.sampled_from([0, 100, 200, 304, 599, 600, 999]),
        )
    )
    def test_itIsItsTemplate(self, parts: tuple[Any, ...]) -> None:
        """The format is written out in code, and must not be another one for that."""
        method, target, fields, version, peer, user, octets, status = parts
        pairs = [(name, value) for name, value in fields.items()]
        head = RequestHead(method, target, version, Fields(pairs), NO_BODY, keepAlive=True)
        exchange = ended(peerHost=peer, octetsOut=octets, status=status)
        exchange.request, exchange.user = head, user
        expected = line(COMBINED, exchange)
        combined = compileFormat("combined")
        # The second time something is remembered.
        for _ in range(2):
            self.assertEqual(combined.render(exchange, TIMES), expected)

    def test_whatIsAbsentIsAHyphen(self) -> None:
        """No fields; no request at all; no address."""
        self.assertTrue(line("combined", ended()).endswith('200 1024 "-" "-"\n'))
        self.assertEqual(
            line("combined", ended(request=False, status=400, peerHost="")),
            '- - - [23/Nov/2026:07:46:40 +0000] "-" 400 1024 "-" "-"\n',
        )

    def test_controlsQuotesAndOtherOctetsAreEscaped(self) -> None:
        """As nginx does it, so no client forges a line."""
        fields = {b"User-Agent": b'a"b\\c\td\xff'}
        self.assertTrue(
            line("combined", ended(fields=fields)).endswith('"a\\x22b\\x5Cc\\x09d\\xFF"\n')
        )

    def test_theUserIsEscapedToo(self) -> None:
        """Names may be anything."""
        self.assertIn(" a\\x0Ab\\xC3\\xBC [", line("combined", ended(user="a\nbü")))

    def test_aValueIsEscapedAlikeEveryTime(self) -> None:
        """What is remembered is what was escaped; long values too."""
        compiled = compileFormat("$target")
        for target in (b"/a", b"/a", b"/" + b"x" * 5000, b"/" + b"x" * 5000, b'/"'):
            expected = target.decode().replace('"', "\\x22") + "\n"
            self.assertEqual(compiled.render(ended(target=target), TIMES), expected)

    def test_manyTargetsInCombined(self) -> None:
        """Are told all the same, and do not accumulate."""
        combined = compileFormat("combined")
        assert isinstance(combined, CombinedLine)
        for number in range(5000):
            target = b"/%d" % number + b"x" * (number % 500)
            told = combined.render(ended(target=target), TIMES)
            self.assertIn(f'"GET {target.decode()} HTTP/1.1"', told)
            self.assertLessEqual(len(combined._targets), 2048)
            self.assertEqual(target in combined._targets, len(target) <= 256)

    def test_memoryIsBounded(self) -> None:
        """Ever new targets do not accumulate."""
        compiled = compileFormat("$target")
        for number in range(5000):
            compiled.render(ended(target=b"/%d" % number), TIMES)
        remembered = compiled.write.__globals__["quoted"]
        self.assertLessEqual(len(remembered), 2048)
        self.assertEqual(remembered[None], "-")


class JSONTests(SynchronousTestCase):
    """One object a line."""

    def parsed(self, exchange: Exchange) -> dict[str, Any]:
        """The object of an exchange."""
        text = line("json", exchange)
        self.assertTrue(text.endswith("}\n"))
        self.assertEqual(text.count("\n"), 1)
        value: dict[str, Any] = json.loads(text)
        return value

    def test_hasEverythingUnderTheNamesOfTheVariables(self) -> None:
        """Numbers are numbers, what is absent is null."""
        value = self.parsed(
            ended(upstreamName="web", attempts=1, origin=Origin("http", "127.0.0.1", 9000))
        )
        self.assertTrue(set(value) <= set(VARIABLES))
        self.assertEqual(value["seconds"], 0.012)
        self.assertEqual((value["status"], value["octets_out"]), (200, 1024))
        self.assertEqual((value["upstream"], value["server"]), ("web", "http://127.0.0.1:9000"))
        self.assertEqual((value["method"], value["version"]), ("GET", "1.1"))
        self.assertIsNone(value["user"])
        self.assertIsNone(value["outcome"])

    def test_whatWasDecryptedIsMarked(self) -> None:
        """In both formats that have a place for it."""
        exchange = ended()
        self.assertIs(self.parsed(exchange)["intercepted"], False)
        self.assertEqual(line("$intercepted", exchange), "-\n")
        exchange.front.intercepted = True
        self.assertIs(self.parsed(exchange)["intercepted"], True)
        self.assertEqual(line("$intercepted", exchange), "yes\n")

    def test_theCacheHasItsSay(self) -> None:
        """As in C{Cache-Status}, without its name; null where there is none."""
        reply = Reply(200)
        reply.more = b'Age: 0\r\nCache-Status: a; fwd=stale; key="x\\"y"\r\n'
        value = self.parsed(ended(reply=reply))
        self.assertEqual(
            (value["cache"], value["cache_status"]), ("stale", 'fwd=stale; key="x\\"y"')
        )
        self.assertEqual(
            line("$cache [$cache_status]", ended(reply=reply)),
            "stale [fwd=stale; key=\\x22x\\x5C\\x22y\\x22]\n",
        )
        value = self.parsed(ended())
        self.assertEqual((value["cache"], value["cache_status"]), (None, None))
        self.assertEqual(line("$cache $cache_status", ended()), "- -\n")

    def test_withoutARequest(self) -> None:
        """Nothing of it is there."""
        value = self.parsed(ended(request=False))
        self.assertIsNone(value["method"])
        self.assertIsNone(value["user_agent"])
        self.assertIsNone(value["version"])

    def test_whatWasPassedThrough(self) -> None:
        """No request either, but the name that the client wanted."""
        passed = ended(request=False, status=0, memory={SERVER_NAME: b"db.example"})
        value = self.parsed(passed)
        self.assertEqual((value["host"], value["method"]), ("db.example", None))
        self.assertEqual(line("$host $request", passed), "db.example -\n")
        self.assertEqual(line("$host", ended(request=False, memory={})), "-\n")

    def test_errorsHaveTheirTokenAndDetail(self) -> None:
        """The words of RFC 9209 §2.3, and what only the log may know."""
        value = self.parsed(failed(ConnectionRefused('127.0.0.1:9 said "no"')))
        self.assertEqual(value["outcome"], "connection_refused")
        self.assertEqual(value["detail"], '127.0.0.1:9 said "no"')

    @patient
    @given(
        st.binary(max_size=20).filter(lambda octets: b"\n" not in octets and b"\r" not in octets)
    )
    def test_anyOctetsComeBack(self, octets: bytes) -> None:
        """Each as the character of its number."""
        value = self.parsed(ended(target=octets))
        self.assertEqual(value["target"].encode("latin-1"), octets)


class TemplateTests(SynchronousTestCase):
    """Formats of an operator's own."""

    def test_variablesInBothSpellings(self) -> None:
        """With and without braces."""
        self.assertEqual(line("$status ${method}x", ended()), "200 GETx\n")

    def test_everyVariableWorks(self) -> None:
        """With a request, without one, with an error."""
        for name in VARIABLES:
            for exchange in (ended(), ended(request=False), failed(ConnectionRefused("no"))):
                text = line(f"[${{{name}}}]", exchange)
                self.assertTrue(re.fullmatch(r"\[[^\n]+\]\n", text), (name, text))

    def test_certificatesOfClients(self) -> None:
        """Escaped as all that is anybody's; C{json} has them where there may be some."""
        shown = ClientCertificate(
            subject='CN=a "b"',
            issuer="CN=ca",
            names=((("CN", 'a "b"'),),),
            alternatives=(),
            serial="1",
            fingerprint="ab" * 32,
            expires=0.0,
            encoded=b"",
        )
        exchange = ended(certificate=shown)
        form = "$client_subject $client_fingerprint"
        self.assertEqual(line(form, exchange), f"CN=a \\x22b\\x22 {'ab' * 32}\n")
        self.assertEqual(line(form, ended()), "- -\n")
        told = json.loads(compileFormat("json", certificates=True).render(exchange, TIMES))
        self.assertEqual(told["client_subject"], 'CN=a "b"')
        self.assertEqual(told["client_fingerprint"], "ab" * 32)
        told = json.loads(compileFormat("json", certificates=True).render(ended(), TIMES))
        self.assertIsNone(told["client_subject"])
        self.assertNotIn("client_subject", line("json", exchange))

    def test_fieldsOfTheRequest(self) -> None:
        """By name, in any case; repeated lines are one value."""
        fields = {b"X-Trace": b"abc", b"x-trace": b"def"}
        form = "${request:X-TRACE} ${request:accept} ${request:Host}"
        self.assertEqual(line(form, ended(fields=fields)), "abc, def - example.org\n")

    def test_dollarsAndEverythingElseStandForThemselves(self) -> None:
        """Quotes of all kinds, braces, backslashes, percent signs."""
        text = """a'b"c'''d{e}{{%s}}\\n\t"""
        self.assertEqual(line(f"$${text}$status", ended()), f"${text}200\n")

    def test_anUnknownVariableSuggestsTheNearest(self) -> None:
        """As a misspelt key does."""
        error = self.assertRaises(Unfit, compileFormat, "$stauts")
        assert isinstance(error, Unfit)
        self.assertEqual(error.message, "names no variable $stauts")
        self.assertEqual(error.remedy, 'did you mean "status"?')

    def test_whatIsNoTemplateIsRefused(self) -> None:
        """Empty, of several lines, a lone dollar, a misspelt name, a bad field name."""
        for form in ("", " ", "$status\n$peer", "cost: $", "100 $ $status", "jsno", "${", "${}"):
            self.assertRaises(Unfit, compileFormat, form)
        self.assertRaises(Unfit, compileFormat, "${request:a b}")
        self.assertRaises(Unfit, compileFormat, "${request:}")

    @patient
    @given(st.text(max_size=30))
    def test_noTemplateIsCode(self, text: str) -> None:
        """Any text is refused, or stands for itself."""
        form = text.replace("$", "") + "$status"
        try:
            compiled = compileFormat(form)
        except Unfit:
            return
        self.assertEqual(compiled.render(ended(), TIMES), form.replace("$status", "200") + "\n")


class QuoteTests(SynchronousTestCase):
    """Escaping."""

    @patient
    @given(st.binary(max_size=50))
    def test_isPrintableASCIIAndUnambiguous(self, octets: bytes) -> None:
        """And can be undone."""
        text = quote(octets)
        self.assertTrue(text.isascii())
        self.assertTrue(not text or text.isprintable())
        self.assertNotIn('"', text)
        undone = re.sub(
            rb"\\x([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), text.encode()
        )
        self.assertEqual(undone, octets)
