# -*- test-case-name: tests.policy.test_clientheaders -*-
"""
L{intermediary.policy.clientheaders}: what goes to servers, and past the cache.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from intermediary.interfaces import IOnFetch
from intermediary.policy.clientheaders import ClientHeaders
from intermediary.program import FETCH
from intermediary.wire.cachestatus import BYPASS, METHOD

from .certificates import ALICE, by
from .exchanges import asked, derived, forwardOf

HOST = b"Host: a.example"
GET = (b"GET / HTTP/1.1", HOST)


class ClientHeadersTests(SynchronousTestCase):
    """The steps."""

    def setUp(self) -> None:
        headers = (("subject", "X-Client-Subject"), ("verified", "X-Client-Verify"))
        self.headers = ClientHeaders(headers, lambda: 5.0)

    def test_whatIsAdded(self) -> None:
        """To what is sent, and not to what others may share."""
        verifyObject(IOnFetch, self.headers)
        exchange = by(derived(*GET), ALICE)
        before = forwardOf(exchange).fields
        self.headers.onFetch(exchange)
        told = forwardOf(exchange).fields
        self.assertEqual(told.get(b"x-client-subject"), b"CN=alice,O=Example")
        self.assertEqual(told.get(b"x-client-verify"), b"SUCCESS")
        self.assertNotIn(b"x-client-subject", before)

    def test_withoutACertificate(self) -> None:
        """Nothing but that; where that is not told, the fields stay what they are."""
        exchange = by(derived(*GET), None)
        self.headers.onFetch(exchange)
        told = forwardOf(exchange).fields
        self.assertEqual(told.get(b"x-client-verify"), b"NONE")
        self.assertNotIn(b"x-client-subject", told)
        exchange = by(derived(*GET), None)
        before = forwardOf(exchange).fields
        ClientHeaders([("certificate", "Client-Cert")], lambda: 5.0).onFetch(exchange)
        self.assertIs(forwardOf(exchange).fields, before)

    def test_pastTheCache(self) -> None:
        """With a certificate, and what may be answered from it at all."""
        for method, why in ((b"GET", BYPASS), (b"HEAD", BYPASS), (b"POST", METHOD)):
            line = method + b" / HTTP/1.1"
            exchange = by(asked(line, HOST), ALICE)
            self.assertIs(self.headers.onLookup(exchange), FETCH)
            self.assertEqual(exchange.visit.reason, why)
            exchange = by(asked(line, HOST), None)
            self.assertIsNone(self.headers.onLookup(exchange))
            self.assertIsNone(exchange.visit)
        exchange = by(asked(b"DELETE / HTTP/1.1", HOST), ALICE)
        self.assertIsNone(self.headers.onLookup(exchange))
