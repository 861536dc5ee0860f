# -*- test-case-name: tests.test_settings -*-
"""
Settings: plain frozen values.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary import settings
from intermediary.settings import (
    AcmeSettings,
    BypassSettings,
    CacheSettings,
    ClientRuleSettings,
    ClientTLSSettings,
    DiskSettings,
    ForceSettings,
    ForwardSettings,
    FrontSettings,
    HTTPSOnlySettings,
    InterceptSettings,
    Limits,
    OriginTLSSettings,
    PassageSettings,
    PoolSettings,
    ReverseSettings,
    RouteCacheSettings,
    RouteSettings,
    Timeouts,
    TLSSettings,
    UpstreamSettings,
)

CLASSES: tuple[Any, ...] = tuple(
    each for each in vars(settings).values() if dataclasses.is_dataclass(each)
)

UPSTREAM = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))

#: One of each.
EXAMPLES: tuple[Any, ...] = (
    Limits(),
    Timeouts(),
    AcmeSettings(directory="https://ca.example/", names=("a.example",), storage="acme"),
    TLSSettings(certificate="site.pem"),
    ClientTLSSettings(ca="ca.pem"),
    ClientRuleSettings(),
    PoolSettings(),
    CacheSettings(),
    BypassSettings(),
    ForceSettings(),
    DiskSettings(path="cache", sizeOctets=1 << 30),
    RouteCacheSettings(),
    OriginTLSSettings(),
    InterceptSettings(ca="ca.pem"),
    AcmeSettings(directory="https://acme.example/", names=("a.example",), storage="acme"),
    UPSTREAM,
    RouteSettings(upstream=UPSTREAM),
    PassageSettings(upstream=UPSTREAM, names=("db.example.org",)),
    HTTPSOnlySettings(listen=("tcp:80",)),
    FrontSettings(name="front"),
    ForwardSettings(name="egress"),
    ReverseSettings(name="site", routes=(RouteSettings(upstream=UPSTREAM),)),
)


class SettingsTests(SynchronousTestCase):
    """What an application hands to a front."""

    def test_thereIsAnExampleOfEach(self) -> None:
        """So that the tests below leave none out."""
        self.assertEqual({type(each) for each in EXAMPLES}, set(CLASSES))

    def test_theyAreFrozen(self) -> None:
        """A front's settings do not change under it."""
        for example in EXAMPLES:
            for field in dataclasses.fields(example):
                self.assertRaises(
                    dataclasses.FrozenInstanceError, setattr, example, field.name, None
                )

    def test_theyAreKeys(self) -> None:
        """Equal ones are one: upstreams of a process are found by theirs."""
        for example in EXAMPLES:
            twin = dataclasses.replace(example)
            self.assertIsNot(twin, example)
            self.assertEqual(hash(twin), hash(example))
            self.assertEqual(twin, example)

    def test_theyTakeKeywordsAlone(self) -> None:
        """No order to get wrong."""
        for kind in CLASSES:
            for parameter in inspect.signature(kind).parameters.values():
                self.assertEqual(parameter.kind, parameter.KEYWORD_ONLY, (kind, parameter))

    def test_quantitiesNameTheirUnit(self) -> None:
        """Seconds and octets in the name; what counts things is an int."""
        for kind in (Limits, Timeouts, PoolSettings):
            for field in dataclasses.fields(kind):
                value = field.default
                if isinstance(value, float):
                    self.assertRegex(field.name, r"Seconds\Z")
                elif field.name.endswith("Octets"):
                    self.assertIsInstance(value, int | None)
                else:
                    self.assertIs(type(value), int, field.name)

    def test_everyQuantityHasABoundedDefault(self) -> None:
        """Nothing waits or grows without a limit unless somebody says so."""
        for kind in (Limits, Timeouts, PoolSettings):
            for field in dataclasses.fields(kind):
                if (kind, field.name) == (Limits, "bodyOctets"):
                    self.assertIsNone(field.default)  # bodies are streamed
                    continue
                assert isinstance(field.default, int | float)
                self.assertGreater(field.default, 0, field.name)
                self.assertLess(field.default, 10**6, field.name)

    def test_defaultsFitTogether(self) -> None:
        """A target fits in a head, one origin's connections in the pool."""
        self.assertLess(Limits().targetOctets, Limits().headerOctets)
        self.assertLessEqual(Limits().trailerOctets, Limits().headerOctets)
        self.assertLessEqual(PoolSettings().perOrigin, PoolSettings().total)
        self.assertLessEqual(PoolSettings().idleSeconds, PoolSettings().ageSeconds)

    def test_aForwardFrontIsGuardedByDefault(self) -> None:
        """It is safe on an open network, and CONNECT reaches the web alone."""
        forward = ForwardSettings(name="egress")
        self.assertTrue(forward.guarded)
        self.assertEqual(forward.allowDestinations, ())
        self.assertEqual(set(forward.connectPorts), {80, 443})

    def test_aReverseFrontTrustsNobodyByDefault(self) -> None:
        """And keeps the client's host."""
        reverse = ReverseSettings(name="site", routes=())
        self.assertEqual(reverse.trustedProxies, ())
        self.assertTrue(RouteSettings(upstream=UPSTREAM).preserveHost)

    def test_serversAreVerifiedByDefault(self) -> None:
        """By what the system trusts, for their own name, with what is current."""
        self.assertEqual(UPSTREAM.tls, OriginTLSSettings())
        self.assertTrue(UPSTREAM.tls.verify)
        self.assertEqual(UPSTREAM.tls.profile, "intermediate")
        self.assertEqual((UPSTREAM.tls.ca, UPSTREAM.tls.name), (None, None))

    def test_everySettingIsExplained(self) -> None:
        """By a comment above it or the class's docstring: it is where the reference comes from."""
        source = inspect.getsource(settings)
        for kind in CLASSES:
            self.assertTrue((kind.__doc__ or "").strip())
        for name in re.findall(r"^    (\w+): .* = ", source, re.MULTILINE):
            if name in {"limits", "timeouts"}:
                continue
            self.assertRegex(source, rf"    #: [^\n]*\n    {name}: ", name)
