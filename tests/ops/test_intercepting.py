# -*- test-case-name: tests.ops.test_intercepting -*-
"""
L{intermediary.ops.intercepting}: settings to what intercepts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock

from intermediary.net.certificatefiles import TroubleError
from intermediary.net.sweep import Sweeper
from intermediary.ops.endpoints import ForwardProxyFactory
from intermediary.ops.intercepting import inside, makeInterception, oddities, readAuthority
from intermediary.ops.makeca import makeAuthority, write
from intermediary.settings import ForwardSettings, InterceptSettings

from ..net.certifying import authority, made
from ..net.test_certificatefiles import FolderCase
from ..policy.exchanges import asked

if TYPE_CHECKING:
    from intermediary.exchange import Exchange


class InterceptingCase(FolderCase):
    """A folder with an authority."""

    def setUp(self) -> None:
        super().setUp()
        root = authority("intercepting.example")
        self.put("ca.pem", root.pem)
        self.put("ca.key", root.key)
        (self.folder / "ca.key").chmod(0o600)
        self.settings = InterceptSettings(
            ca=str(self.folder / "ca.pem"), key=str(self.folder / "ca.key")
        )


class AuthorityTests(InterceptingCase):
    """Its files."""

    def test_read(self) -> None:
        """Apart or in one."""
        found = readAuthority(self.settings)
        self.assertEqual(repr(found), "<Authority O=Tests\\, Inc.,CN=intercepting.example>")
        both = self.put("both.pem", authority("intercepting.example").both)
        again = readAuthority(InterceptSettings(ca=str(both)))
        self.assertEqual(again.certificate, found.certificate)

    def trouble(self, **settings: str) -> tuple[str, str]:
        """What is wrong: the key of a setting, and the words."""
        paths: Any = {name: str(self.folder / each) for name, each in settings.items()}
        changed = replace(self.settings, **paths) if "key" in paths else InterceptSettings(**paths)
        (trouble,) = self.assertRaises(TroubleError, readAuthority, changed).troubles
        self.assertTrue(trouble.remedy)
        self.assertEqual(trouble.path, paths[trouble.key])
        return trouble.key, trouble.message

    def test_whatCannotBeUsed(self) -> None:
        """It is told by the setting that leads to it."""
        self.put("hello", b"hello")
        self.put("large", bytes((1 << 20) + 1))
        self.put("leaf.pem", made("a.example").pem)
        self.put("leaf.key", made("a.example").key)
        self.put("locked.key", made("a.example").encryptedKey)
        for settings, key, words in (
            ({"ca": "nowhere.pem"}, "ca", "can't be read: No such file"),
            ({"ca": "ca.pem"}, "ca", "has no private key in it"),
            ({"ca": "ca.pem", "key": "nowhere.key"}, "key", "can't be read"),
            ({"ca": "ca.pem", "key": "hello"}, "key", "has no private key in it"),
            ({"ca": "ca.pem", "key": "large"}, "key", "is larger than 1 MiB"),
            ({"ca": "ca.pem", "key": "locked.key"}, "key", "under a password"),
            ({"ca": "hello", "key": "ca.key"}, "ca", "has no certificate in it"),
            ({"ca": "leaf.pem", "key": "leaf.key"}, "ca", "is no authority"),
        ):
            self.assertEqual(self.trouble(**settings)[0], key, settings)
            self.assertIn(words, self.trouble(**settings)[1])

    def test_oddities(self) -> None:
        """What is out of date, and whom the key is shown to."""
        found = readAuthority(self.settings)
        now = dt.datetime.now(dt.UTC)
        self.assertEqual(oddities(self.settings, found, now), [])
        for mode in (0o640, 0o604, 0o620):
            (self.folder / "ca.key").chmod(mode)
            (odd,) = oddities(self.settings, found, now)
            self.assertEqual(odd.key, "key")
            self.assertIn("chmod 600", odd.remedy)
        (self.folder / "ca.key").unlink()
        (odd,) = oddities(self.settings, found, now + dt.timedelta(days=4000))
        self.assertIn("expired on", odd.message)


class MakingTests(InterceptingCase):
    """What is made of the settings."""

    def test_whatIsTaken(self) -> None:
        """By all of them, and by the limits of the authority."""
        folder = self.folder / "limited"
        write(str(folder), *makeAuthority("x", 9, ["corp.example"]))
        settings = InterceptSettings(
            ca=str(folder / "ca.pem"),
            key=str(folder / "ca.key"),
            excepted=("pay.corp.example",),
            only=("*.corp.example", "a.example"),
            ports=(8443,),
            handshakeSeconds=3,
            handshakes=7,
        )
        clock = Clock()
        made = makeInterception("egress", settings, Sweeper(clock), clock)
        self.assertEqual(
            [
                host
                for host in ("b.corp.example", "pay.corp.example", "a.example", "c.example")
                if made._takes(host, 8443)
            ],
            ["b.corp.example"],
        )
        self.assertFalse(made._takes("b.corp.example", 443))
        self.assertEqual((made.handshakes.seconds, made.handshakes._limit), (3, 7))

    def test_mistakes(self) -> None:
        """They are ValueErrors, as of other settings."""
        clock = Clock()
        for settings in (
            replace(self.settings, excepted=("*.*",)),
            replace(self.settings, ca=str(self.folder)),
        ):
            self.assertRaises(ValueError, makeInterception, "x", settings, Sweeper(clock), clock)


class FrontTests(InterceptingCase):
    """The front of what is inside."""

    def exchange(self, factory: ForwardProxyFactory) -> Exchange:
        """A CONNECT to it."""
        exchange = asked(b"CONNECT a.example:443 HTTP/1.1", b"Host: a.example:443")
        exchange.front = factory.front
        exchange.user = "alice"
        factory.front.route(exchange)
        return exchange

    def test_itIsTheFrontsOwn(self) -> None:
        """But for where requests go, how errors are worded, and that it says so."""
        settings = ForwardSettings(name="egress", intercept=self.settings, guarded=False)
        factory = ForwardProxyFactory(Clock(), settings)
        found = inside(self.exchange(factory))
        outside = factory.front
        for name in ("name", "limits", "timeouts", "engine", "refusal", "keepsOld"):
            self.assertIs(getattr(found, name), getattr(outside, name), name)
        self.assertEqual((outside.intercepted, found.intercepted), (False, True))
        exchange = asked(b"GET /x HTTP/1.1", b"Host: a.example")
        self.assertIs(found.route(exchange), factory.programs[0])
        self.assertEqual(str(exchange.origin), "https://a.example:443")
        self.assertEqual(exchange.user, "alice")

    def test_whomItTrusts(self) -> None:
        """Servers are verified, by what is said."""
        trust = self.put("trust.pem", authority().pem)
        for path in (None, str(trust)):
            settings = ForwardSettings(
                name="egress", intercept=replace(self.settings, trust=path), guarded=False
            )
            exchange = asked(b"GET https://a.example/ HTTP/1.1", b"Host: a.example")
            ForwardProxyFactory(Clock(), settings).front.route(exchange)
            assert exchange.origin is not None
            policy = exchange.origin.tls.settings
            self.assertEqual((policy.ca, policy.verify), (path, True))

    def test_withoutInterceptionThereIsNoStep(self) -> None:
        """What is off is not there."""
        for intercept, steps in ((None, 0), (self.settings, 1)):
            settings = ForwardSettings(name="egress", intercept=intercept)
            factory = ForwardProxyFactory(Clock(), settings)
            listing = factory.programs[1].listing()
            self.assertEqual(listing.count("interception.Interception.intercept"), steps)
            self.assertEqual(factory.interception is None, intercept is None)
