# -*- test-case-name: tests.ops.test_reading -*-
"""Tests of L{intermediary.ops.reading}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from intermediary.ops import reading
from intermediary.ops.config import Configuration, ForwardFront, Guard, LogSettings, ReverseFront
from intermediary.ops.problems import ABSENT, ConfigurationError, Problem
from intermediary.ops.reading import parse
from intermediary.settings import (
    BypassSettings,
    CacheSettings,
    DiskSettings,
    ForceSettings,
    ForwardSettings,
    Limits,
    OriginTLSSettings,
    PassageSettings,
    PoolSettings,
    ReverseSettings,
    RouteCacheSettings,
    RouteSettings,
    Timeouts,
    UpstreamSettings,
)

from .documents import EVERYTHING, STABLE

#: As much as it takes for a file to be valid.
FRONT = "[forward.egress]\nlisten = ['tcp:3128:interface=127.0.0.1']\n"
SITE = (
    "[reverse.site]\nlisten = ['tcp:8000']\n[[reverse.site.route]]\nupstream = 'web'\n"
    "[upstream.web]\nservers = ['http://127.0.0.1:9000']\n"
)


class GoodTests(SynchronousTestCase):
    """Files that are valid."""

    def test_theStableFileWorksAsItStands(self) -> None:
        """The keys that the documentation promises."""
        configuration = parse(STABLE, "stable.toml")
        api = UpstreamSettings(
            name="api", servers=("http://127.0.0.1:9001", "http://127.0.0.1:9002")
        )
        web = UpstreamSettings(name="web", servers=("http://127.0.0.1:9000",))
        self.assertEqual(
            configuration,
            Configuration(
                forward=(
                    ForwardFront(
                        settings=ForwardSettings(name="egress"),
                        listen=("tcp:3128:interface=127.0.0.1",),
                    ),
                ),
                reverse=(
                    ReverseFront(
                        settings=ReverseSettings(
                            name="site",
                            routes=(
                                RouteSettings(
                                    upstream=api,
                                    host=("example.org", "*.example.org"),
                                    path="/api/",
                                ),
                                RouteSettings(upstream=web),
                            ),
                        ),
                        listen=("tcp:8000:interface=127.0.0.1",),
                    ),
                ),
                log=LogSettings(access="access.log", format="combined"),
                source="stable.toml",
            ),
        )

    def test_passages(self) -> None:
        """A front may have nothing else."""
        configuration = parse(
            b"[reverse.db]\nlisten = ['tcp:1']\n"
            b"[[reverse.db.passthrough]]\nnames = ['DB.example']\nupstream = 'db'\n"
            b"[[reverse.db.passthrough]]\n"
            b"names = ['*.x.example']\nalpn = ['acme-tls/1']\nupstream = 'db'\n"
            b"[upstream.db]\nservers = ['TCP://DB.example:5432']\n",
            "db.toml",
        )
        (front,) = configuration.reverse
        db = UpstreamSettings(name="db", servers=("tcp://db.example:5432",))
        self.assertEqual(front.settings.routes, ())
        self.assertEqual(
            front.settings.passthrough,
            (
                PassageSettings(upstream=db, names=("db.example",)),
                PassageSettings(upstream=db, names=("*.x.example",), alpn=("acme-tls/1",)),
            ),
        )
        self.assertEqual(configuration.warnings, ())

    def test_serversThatAreNotVerified(self) -> None:
        """It is read, and warned of where it stands."""
        configuration = parse(
            b"[reverse.site]\nlisten = ['tcp:1']\n[[reverse.site.route]]\nupstream = 'web'\n"
            b"[upstream.web]\nservers = ['https://h']\ntls = { verify = false }\n",
            "x.toml",
        )
        [route] = configuration.reverse[0].settings.routes
        self.assertFalse(route.upstream.tls.verify)
        [warning] = configuration.warnings
        self.assertEqual((warning.line, warning.table), (7, "upstream.web.tls.verify"))

    def test_everyKeyReachesItsSetting(self) -> None:
        """No key is read and forgotten."""
        limits = Limits(
            headerOctets=32768,
            headerFields=10,
            targetOctets=1000,
            trailerOctets=2000,
            bodyOctets=10 << 20,
            connections=50,
        )
        # These are not there.
        self.patch(reading, "originFindings", lambda *arguments: [])
        self.assertEqual(
            parse(EVERYTHING, "/etc/proxy/all.toml"),
            Configuration(
                forward=(
                    ForwardFront(
                        settings=ForwardSettings(
                            name="egress",
                            limits=limits,
                            timeouts=Timeouts(
                                connectSeconds=1,
                                requestHeadSeconds=2,
                                idleSeconds=3,
                                responseHeadSeconds=4,
                                betweenBytesSeconds=5.5,
                                tunnelIdleSeconds=6,
                            ),
                            via="proxy-1",
                            connectPorts=(443, 8443),
                            cache=None,
                            guarded=True,
                            allowDestinations=("10.1.0.0/16", "build.example.org"),
                        ),
                        listen=("tcp:3128:interface=127.0.0.1", "unix:/run/proxy.sock"),
                        guard=Guard.ON,
                    ),
                ),
                reverse=(
                    ReverseFront(
                        settings=ReverseSettings(
                            name="site",
                            limits=limits,
                            timeouts=Timeouts(idleSeconds=9),
                            via="gate",
                            routes=(
                                RouteSettings(
                                    upstream=UpstreamSettings(
                                        name="web",
                                        servers=("http://localhost:9000", "https://localhost"),
                                        tls=OriginTLSSettings(
                                            ca="/etc/proxy/ca.pem",
                                            certificate="/etc/proxy/us.pem",
                                            key="/etc/proxy/us.key",
                                            name="b.example",
                                            profile="modern",
                                        ),
                                    ),
                                    host=("example.org",),
                                    path="/x/",
                                    preserveHost=False,
                                    cache=RouteCacheSettings(
                                        cacheStatus="key",
                                        graceSeconds=30,
                                        graceErrorSeconds=0,
                                        refreshUses=3,
                                        ignoreQuery=("utm_*",),
                                        keyCookies=("lang",),
                                        keyFields=("X-Device",),
                                        share="web",
                                        sortQuery=True,
                                        storeCookies=True,
                                    ),
                                ),
                            ),
                            trustedProxies=("10.0.0.0/8",),
                        ),
                        listen=("tcp:8000",),
                    ),
                ),
                pool=PoolSettings(
                    perOrigin=1, total=2, waiters=3, waitSeconds=4, idleSeconds=5, ageSeconds=6
                ),
                cache=CacheSettings(
                    memoryOctets=32 << 20,
                    maxObjectOctets=1 << 20,
                    targeted=("Site-Cache-Control", "CDN-Cache-Control"),
                    purgeFrom=("127.0.0.1", "192.0.2.0/24"),
                ),
                log=LogSettings(access="-", format="$peer $status"),
                shutdownSeconds=5,
                source="/etc/proxy/all.toml",
            ),
        )

    def test_defaultsAreThoseOfTheSettings(self) -> None:
        """A file says only what differs."""
        (front,) = parse(FRONT.encode(), "p").forward
        self.assertEqual(front.settings, ForwardSettings(name="egress"))
        self.assertIs(front.guard, Guard.AUTO)

    def test_withoutATableThereIsNoCache(self) -> None:
        """Though routes are ready for one."""
        self.assertIsNone(parse(FRONT.encode(), "p").cache)
        self.assertEqual(parse((FRONT + "[cache]").encode(), "p").cache, CacheSettings())

    def test_aDisk(self) -> None:
        """And how much of one response is in memory beside it."""
        line = "cache.disk = { path = 'a/b', size = '1GiB' }\ncache.max-memory-object = 7\n"
        self.assertEqual(
            parse((line + FRONT).encode(), "p").cache,
            CacheSettings(
                disk=DiskSettings(path="a/b", sizeOctets=1 << 30), maxMemoryObjectOctets=7
            ),
        )

    def test_cachingIsASwitchOrATable(self) -> None:
        """Of a route, and of a forward front."""
        for written, meant in (
            ("true", RouteCacheSettings()),
            ("{}", RouteCacheSettings()),
            ("false", None),
            ("{ grace = 0.5 }", RouteCacheSettings(graceSeconds=0.5)),
            ("{ grace-error = 0 }", RouteCacheSettings(graceErrorSeconds=0)),
            ("{ sort-query = true }", RouteCacheSettings(sortQuery=True)),
            ("{ refresh-uses = 5 }", RouteCacheSettings(refreshUses=5)),
            ("{ cache-status = 'off' }", RouteCacheSettings(cacheStatus="off")),
            ("{ key-cookies = ['a'] }", RouteCacheSettings(keyCookies=("a",))),
            ("{ key-fields = ['A'] }", RouteCacheSettings(keyFields=("A",))),
            ("{ share = 'a' }", RouteCacheSettings(share="a")),
            ("{ store-cookies = true }", RouteCacheSettings(storeCookies=True)),
            ("{ ignore-query = ['a', '*'] }", RouteCacheSettings(ignoreQuery=("a", "*"))),
            (
                "{ lifetimes = { 404 = 10, '5xx' = 0 } }",
                RouteCacheSettings(lifetimes=(("404", 10), ("5xx", 0))),
            ),
            (
                "{ force = { lifetime = 60, ignore = ['Vary'], authorization = true } }",
                RouteCacheSettings(
                    force=ForceSettings(lifetimeSeconds=60, ignore=("Vary",), authorization=True)
                ),
            ),
            (
                "{ force = { ignore = ['Expires', 'Set-Cookie'] } }",
                RouteCacheSettings(force=ForceSettings(ignore=("Expires", "Set-Cookie"))),
            ),
            ("{ ignore-client = true }", RouteCacheSettings(ignoreClient=True)),
            ("{ range-miss = 'whole' }", RouteCacheSettings(rangeMiss="whole")),
            (
                "{ min-uses = 3, min-uses-within = 60 }",
                RouteCacheSettings(minUses=3, minUsesWithinSeconds=60),
            ),
            (
                "{ bypass = [{ cookie = 'a*' }, { path = '/b', query = 'c', field = 'D' }] }",
                RouteCacheSettings(
                    bypass=(
                        BypassSettings(cookie="a*"),
                        BypassSettings(path="/b", query="c", field="D"),
                    )
                ),
            ),
        ):
            (forward,) = parse(f"{FRONT}cache = {written}\n".encode(), "p").forward
            self.assertEqual(forward.settings.cache, meant)
            text = SITE.replace("[upstream", f"cache = {written}\n[upstream")
            (reverse,) = parse(text.encode(), "p").reverse
            self.assertEqual(reverse.settings.routes[0].cache, meant)

    def test_guardOffIsUnguarded(self) -> None:
        """And C{auto} is guarded until somebody who knows the listeners decides."""
        (front,) = parse((FRONT + "guard = 'off'").encode(), "p").forward
        self.assertFalse(front.settings.guarded)
        self.assertIs(front.guard, Guard.OFF)

    def test_anUpstreamIsOneObjectOverAllRoutes(self) -> None:
        """So that whoever compiles them makes one balancer of it."""
        text = SITE.replace(
            "[upstream", "[[reverse.site.route]]\npath='/b'\nupstream='web'\n[upstream"
        )
        (front,) = parse(text.encode(), "p").reverse
        first, second = front.settings.routes
        self.assertIs(first.upstream, second.upstream)

    def test_windowsLineEndsAndAByteOrderMark(self) -> None:
        """Editors add them unasked."""
        octets = b"\xef\xbb\xbf" + FRONT.replace("\n", "\r\n").encode()
        self.assertEqual(len(parse(octets, "p").forward), 1)

    def test_oddThingsAreWarnings(self) -> None:
        """They come with the configuration, with their lines."""
        text = SITE + "[upstream.spare]\nservers = ['http://127.0.0.1:1']\n[pool]\ntotal = 5\n"
        warnings = parse(text.encode(), "p").warnings
        self.assertEqual(
            [(w.line, w.table) for w in warnings], [(7, "upstream.spare"), (10, "pool.total")]
        )


class BadTests(SynchronousTestCase):
    """Files that are not, and what is said about them."""

    def problems(self, text: str | bytes) -> list[Problem]:
        """What is wrong with a file."""
        octets = text.encode() if isinstance(text, str) else text
        error = self.assertRaises(ConfigurationError, parse, octets, "p.toml")
        assert isinstance(error, ConfigurationError)
        for problem in error.problems:
            self.assertEqual(problem.file, "p.toml")
            self.assertNotIn("\n", str(problem))
        return list(error.problems)

    def problem(self, text: str | bytes) -> Problem:
        """The only thing that is wrong with a file."""
        problems = self.problems(text)
        self.assertEqual(len(problems), 1, "\n".join(map(str, problems)))
        return problems[0]

    def test_syntaxErrorsHaveLineAndColumn(self) -> None:
        """And show the line."""
        self.assertEqual(
            str(self.problem("[log]\naccess = access.log\n")),
            'p.toml:2:10: "access = access.log": is not valid TOML: Invalid value; '
            "strings need quotes; a key stands once in its table",
        )

    def test_syntaxErrorsAtTheEnd(self) -> None:
        """The last line is meant."""
        problem = self.problem('[log]\naccess = "a')
        self.assertEqual(problem.line, 2)
        self.assertIn("TOML", problem.message)

    def test_otherEncodingsAreRefused(self) -> None:
        """TOML is UTF-8; the line of the first wrong octet is named."""
        problem = self.problem(b'[log]\n# caf\xe9\naccess = "-"\n')
        self.assertEqual((problem.line, problem.message), (2, "is not in UTF-8"))

    def test_anUnknownKeySuggestsTheNearest(self) -> None:
        """With its value and its place."""
        problem = self.problem(FRONT + "conect-ports = [1]\n")
        self.assertEqual(
            str(problem),
            "p.toml:3: forward.egress.conect-ports = [1]: unknown key; "
            'did you mean "connect-ports"?',
        )

    def test_anUnknownTableSuggestsTheNearest(self) -> None:
        """Without spelling out what is in it."""
        problem = self.problem(FRONT + "[limit]\nconnections = 3\n")
        self.assertEqual(str(problem), 'p.toml:3: limit: unknown key; did you mean "limits"?')

    def test_unknownKeysInNestedTables(self) -> None:
        """Timeouts, routes, upstreams."""
        for text, table, remedy in (
            (FRONT + "[forward.egress.timeouts]\nconect = 1", "timeouts.conect", "connect"),
            (
                SITE.replace("[upstream", "hosts=['a']\n[upstream"),
                "reverse.site.route[0].hosts",
                "host",
            ),
            (SITE + "server = 'x'", "upstream.web.server", "servers"),
        ):
            problem = self.problem(text)
            self.assertTrue(problem.table.endswith(table), problem.table)
            self.assertEqual(problem.remedy, f'did you mean "{remedy}"?')

    def test_theNameOfASettingIsNoKey(self) -> None:
        """Keys are kebab-case, and each has one spelling."""
        self.assertEqual(
            self.problem(FRONT + "connectPorts = [1]").remedy, 'did you mean "connect-ports"?'
        )
        self.assertEqual(self.problem(FRONT + "[pool]\nwaitSeconds = 1").message, "unknown key")

    def test_inlineTablesHaveTheirOwnLines(self) -> None:
        """Not that of the key whose array they are in."""
        problems = self.problems(
            "[reverse.a]\nlisten = ['tcp:1']\nroute = [ {upstream = 'u', path = '/a'},\n"
            " {upstrem = 'u'} ]\n[upstream.u]\nservers = ['http://h']\n"
        )
        self.assertEqual(
            [(problem.line, problem.table) for problem in problems],
            [(4, "reverse.a.route[1].upstream"), (4, "reverse.a.route[1].upstrem")],
        )

    def test_missingKeysShowAnExample(self) -> None:
        """The remedy can be pasted."""
        problem = self.problem("[forward.egress]\n")
        self.assertIs(problem.value, ABSENT)
        self.assertEqual(problem.line, 1)
        self.assertEqual(problem.remedy, 'add listen = ["tcp:3128:interface=127.0.0.1"]')

    def test_typesAreNotConverted(self) -> None:
        """A string is no number, a number no string, a fraction no count."""
        for line, words in (
            ("[limits]\nconnections = '5'", "must be a valid integer"),
            ("[limits]\nconnections = 1.5", "must be a valid integer"),
            ("[limits]\nconnections = true", "must be a valid integer"),
            ("shutdown-seconds = 'x'", "must be a valid number"),
            ("[log]\naccess = 3", "must be a valid string"),
            ("log = 3", "must be a table"),
            ("upstream = 3", "must be a table"),
        ):
            # Keys of the top stand first.
            text = FRONT + line if line.startswith("[") else f"{line}\n{FRONT}"
            problem = self.problem(text)
            self.assertIn(words, problem.message)
            self.assertTrue(problem.remedy.startswith("write for example "), problem.remedy)

    def test_tablesAreCalledTables(self) -> None:
        """Not by the classes of the model."""
        for text in (
            f"log = 'x'\n{FRONT}",
            f"pool = []\n{FRONT}",
            "forward.a = 1\n",
            "reverse.a = 1\n",
            FRONT + "[upstream]\nweb = 1\n",
            FRONT + "timeouts = 1\n",
            "[reverse.a]\nlisten = ['tcp:1']\nroute = [1]\n",
        ):
            self.assertEqual(self.problem(text).message, "must be a table")

    def test_quantitiesHaveBounds(self) -> None:
        """Nothing waits for no time or forever; nothing counts below one."""
        for line in (
            "[limits]\nconnections = 0",
            "[limits]\nheader-octets = 0",
            "[pool]\nwait = 0",
            "[pool]\nidle = inf",
            "[pool]\nage = nan",
            "[forward.egress.timeouts]\nidle = -1",
        ):
            self.problem(FRONT + line)
        self.problem(f"shutdown-seconds = -1\n{FRONT}")
        self.problem(FRONT + "connect-ports = [0]")
        self.problem(FRONT + "connect-ports = [65536]")

    def test_guardIsAWordOfThree(self) -> None:
        """Not a boolean."""
        self.assertIn("'auto', 'on' or 'off'", self.problem(FRONT + "guard = true").message)

    def test_whatIsNoCache(self) -> None:
        """C{[cache]} is a table, and C{false} is to leave it out."""
        noNetwork = "is neither an address nor a network"
        beyond = "has bits set beyond its prefix"
        for line, table, message in (
            ("cache = true", "cache", "must be a table"),
            ("cache.memory = 0", "cache.memory", "must be at least 1"),
            ("cache.memory = 'x'", "cache.memory", "is not a size"),
            ("cache.memory = 'unlimited'", "cache.memory", "is not a size"),
            ("cache.purge-from = ['a']", "cache.purge-from[0]", noNetwork),
            ("cache.purge-from = ['10.1.2.3/8']", "cache.purge-from[0]", beyond),
            ("cache.purge-from = true", "cache.purge-from", "must be a valid array"),
            ("cache.max-object = 1.5", "cache.max-object", "is not a size"),
            ("cache.targeted = 'x'", "cache.targeted", "must be a valid array"),
            ("cache.targeted = ['a b']", "cache.targeted[0]", "is not the name of a field"),
            ("cache.targeted = [1]", "cache.targeted[0]", "must be a valid string"),
            ("cache.disk = true", "cache.disk", "must be a table"),
            ("cache.disk = { path = '/a' }", "cache.disk.size", "is missing"),
            ("cache.disk = { size = 1 }", "cache.disk.path", "is missing"),
            ("cache.disk = { path = ' ', size = 1 }", "cache.disk.path", "is not a path"),
            ("cache.disk = { path = 1, size = 1 }", "cache.disk.path", "must be a valid string"),
            ("cache.disk = { path = 'a', size = 0 }", "cache.disk.size", "must be at least 1"),
            ("cache.max-memory-object = 'x'", "cache.max-memory-object", "is not a size"),
        ):
            problem = self.problem(f"{line}\n{FRONT}")
            self.assertEqual((problem.line, problem.table, problem.message), (1, table, message))
            self.assertTrue(problem.remedy)

    def test_whatIsNoCachingOfARoute(self) -> None:
        """Each value has its message, and the remedy is of the same table."""
        pattern = "is not the name of a query parameter, nor a pattern of names"
        for written, key, message, remedy in (
            ("1", "", "must be true, false or a table", "write for example cache = { grace = 30 }"),
            ("'on'", "", "must be true, false or a table", ""),
            ("[]", "", "must be true, false or a table", ""),
            (
                "{ grace = -1 }",
                ".grace",
                "must be greater than or equal to 0",
                "write for example grace = 0",
            ),
            ("{ grace = '1' }", ".grace", "must be a valid number", ""),
            ("{ grace = true }", ".grace", "must be a valid number", ""),
            ("{ grace = inf }", ".grace", "must be a finite number", ""),
            ("{ grace-error = nan }", ".grace-error", "must be a finite number", ""),
            (
                "{ ignore-query = 'x' }",
                ".ignore-query",
                "must be a valid array",
                'write for example ignore-query = ["utm_*", "fbclid"]',
            ),
            ("{ ignore-query = [1] }", ".ignore-query[0]", "must be a valid string", ""),
            ("{ lifetimes = 1 }", ".lifetimes", "must be a table", "lifetimes = { 404 = 10"),
            (
                "{ lifetimes = { 404 = '1' } }",
                ".lifetimes.404",
                "must be a valid number",
                "lifetimes = { 404 = 10",
            ),
            (
                "{ lifetimes = { 304 = 1 } }",
                ".lifetimes.304",
                "is never stored, whatever its lifetime",
                "remove it",
            ),
            (
                "{ lifetimes = { any = 1 } }",
                ".lifetimes.any",
                "is neither a status nor a class of them",
                "write for example 404, or 5xx for a class",
            ),
            ("{ force = true }", ".force", "must be a table", "force = { lifetime = 60"),
            ("{ force = {} }", ".force", "forces nothing", "write for example { lifetime = 60"),
            (
                "{ force = { authorization = false, ignore = [] } }",
                ".force",
                "forces nothing",
                "write for example { lifetime = 60",
            ),
            ("{ force = { lifetime = 0 } }", ".force.lifetime", "must be greater than 0", ""),
            (
                "{ force = { ignore = ['vary'] } }",
                ".force.ignore[0]",
                "must be 'Cache-Control', 'Expires', 'Set-Cookie' or 'Vary'",
                "",
            ),
            ("{ force = { age = 1 } }", ".force.age", "unknown key", "known are: authorization"),
            (
                "{ range-miss = 'all' }",
                ".range-miss",
                "must be 'pass' or 'whole'",
                'write for example range-miss = "pass"',
            ),
            ("{ min-uses = 0 }", ".min-uses", "must be greater than or equal to 1", ""),
            ("{ min-uses-within = 0 }", ".min-uses-within", "must be greater than 0", ""),
            ("{ ignore-client = 1 }", ".ignore-client", "must be a valid boolean", ""),
            ("{ bypass = {} }", ".bypass", "must be a valid array", "bypass = [{ cookie = "),
            ("{ bypass = [1] }", ".bypass[0]", "must be a table", "bypass = [{ cookie = "),
            (
                "{ bypass = [{}] }",
                ".bypass[0]",
                "says nothing, so every request would fit",
                'write for example { cookie = "session*" }',
            ),
            ("{ bypass = [{ host = 'a' }] }", ".bypass[0].host", "unknown key", "known are: "),
            ("{ bypass = [{ path = 1 }] }", ".bypass[0].path", "must be a valid string", ""),
            (
                "{ bypass = [{ path = '/%61' }] }",
                ".bypass[0].path",
                "is not in normal form, so no path would fit",
                'write it as "/a"',
            ),
            ("{ ignore-query = [''] }", ".ignore-query[0]", pattern, ""),
            ("{ ignore-query = ['é'] }", ".ignore-query[0]", pattern, ""),
            ("{ sort-query = 1 }", ".sort-query", "must be a valid boolean", ""),
            (
                "{ refresh-uses = -1 }",
                ".refresh-uses",
                "must be greater than or equal to 0",
                "write for example refresh-uses = 3",
            ),
            ("{ refresh-uses = 1.5 }", ".refresh-uses", "must be a valid integer", ""),
            ("{ refresh-uses = true }", ".refresh-uses", "must be a valid integer", ""),
            ("{ cache-status = true }", ".cache-status", "must be 'on', 'key' or 'off'", ""),
            ("{ key-cookies = 'a' }", ".key-cookies", "must be a valid array", '["lang"]'),
            (
                "{ key-cookies = ['a=b'] }",
                ".key-cookies[0]",
                "is not the name of a cookie",
                "without its value",
            ),
            ("{ key-fields = ['a b'] }", ".key-fields[0]", "is not the name of a field", ""),
            (
                "{ key-fields = ['x', 'X-Forwarded-Proto'] }",
                ".key-fields[1]",
                "does not reach the origin as the client wrote it",
                "leave it out",
            ),
            (
                "{ key-fields = ['Cookie'] }",
                ".key-fields[0]",
                "is never the same for two clients",
                "key-cookies",
            ),
            ("{ share = true }", ".share", "must be a valid string", '"site"'),
            ("{ share = '+a' }", ".share", "is not a name", "letters, digits"),
            ("{ store-cookies = 'public' }", ".store-cookies", "must be a valid boolean", ""),
            ("{ gracee = 1 }", ".gracee", "unknown key", 'did you mean "grace"?'),
        ):
            for table, text in (
                ("forward.egress.cache", f"{FRONT}cache = {written}\n"),
                (
                    "reverse.site.route[0].cache",
                    SITE.replace("[upstream", f"cache = {written}\n[upstream"),
                ),
            ):
                problem = self.problem(text)
                self.assertEqual((problem.table, problem.message), (table + key, message))
                self.assertTrue(problem.remedy)
                self.assertIn(remedy, problem.remedy)

    def test_aBadFormatIsAConfigurationError(self) -> None:
        """With the nearest variable."""
        problem = self.problem(FRONT + "[log]\nformat = '$stauts'")
        self.assertEqual(problem.table, "log.format")
        self.assertEqual(problem.remedy, 'did you mean "status"?')

    def test_anAccessLogWithoutANameIsRefused(self) -> None:
        """Absent is what none is written as."""
        problem = self.problem(FRONT + "[log]\naccess = ''\n")
        self.assertEqual(
            (problem.line, problem.table, problem.message), (4, "log.access", "names no file")
        )

    def test_namesOfFrontsAreChecked(self) -> None:
        """They stand in the log."""
        problem = self.problem(FRONT.replace("egress", '"a b"'))
        self.assertEqual((problem.table, problem.message), ('forward."a b"', "is not a name"))

    def test_emptyListsAreRefused(self) -> None:
        """A front listens, an upstream has servers, a gateway has routes."""
        for text in (
            FRONT.replace("'tcp:3128:interface=127.0.0.1'", ""),
            SITE.replace("'http://127.0.0.1:9000'", ""),
        ):
            self.assertIn("at least 1 item", self.problem(text).message)
        self.assertIn(
            "[[reverse.site.route]]", self.problem("[reverse.site]\nlisten = ['tcp:1']").remedy
        )

    def test_passages(self) -> None:
        """What clients ask for, and what a front does with them."""
        site = "[reverse.db]\nlisten = ['tcp:1']\n"
        passage = site + "[[reverse.db.passthrough]]\n"
        upstream = "[upstream.db]\nservers = ['tcp://h:1']\n"
        problem = self.problem(f"{site}passthrough = []")
        self.assertIn("[[reverse.db.passthrough]]", problem.remedy)
        for line, table, words in (
            ("upstream = 'db'", "names", "is missing"),
            ("names = []\nupstream = 'db'", "names", "at least 1 item"),
            ("names = ['*']\nupstream = 'db'", "names[0]", "is not a host"),
            ("names = ['a']\nalpn = ['a b']\nupstream = 'db'", "alpn[0]", "name of a protocol"),
            ("names = ['a']", "upstream", "is missing"),
            ("names = ['a']\nupstream = 'bd'", "upstream", "no such upstream"),
        ):
            problem = self.problem(f"{passage}{line}\n{upstream}")
            self.assertEqual(problem.table, f"reverse.db.passthrough[0].{table}")
            self.assertIn(words, problem.message)

    def test_allProblemsComeAtOnceInTheOrderOfTheFile(self) -> None:
        """Of single values and between tables alike."""
        problems = self.problems(
            "[forward.egress]\n"
            "listen = ['tcp:1', 'tpc:2']\n"
            "guard = 'maybe'\n"
            "[reverse.site]\n"
            "listen = ['tcp:1']\n"
            "[[reverse.site.route]]\n"
            "upstream = 'wbe'\n"
            "[upstream.web]\n"
            "servers = ['ftp://h']\n"
            "[pool]\n"
            "total = 0\n"
        )
        self.assertEqual([p.line for p in problems], [2, 3, 5, 7, 9, 11])
        self.assertEqual(problems[3].remedy, 'did you mean "web"?')

    def test_nothingToRunIsAProblem(self) -> None:
        """An empty file is a mistake."""
        self.assertEqual(self.problem("").message, "there is nothing to run")
        self.problem("[log]\naccess = '-'\n")
