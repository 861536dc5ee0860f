# -*- test-case-name: tests.ops.test_options -*-
"""Tests of L{intermediary.ops.options}."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from intermediary import __version__
from intermediary.ops.makeca import makeAuthority, write
from intermediary.ops.options import DEFAULT_FORWARD, Options

from ..net.certifying import made
from .documents import STABLE


class OptionsTests(SynchronousTestCase):
    """What the command line makes of its arguments."""

    def setUp(self) -> None:
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)

    def options(self, *arguments: str) -> Options:
        """Parse a command line."""
        options = Options()
        options.parseOptions(list(arguments))
        return options

    def exits(self, code: int, *arguments: str) -> None:
        """The process ends with a code while its command line is read."""
        error = self.assertRaises(SystemExit, self.options, *arguments)
        assert isinstance(error, SystemExit)
        self.assertEqual(error.code, code, self.stderr.getvalue())

    def misuse(self, words: str, *arguments: str) -> None:
        """The command line is refused with these words."""
        error = self.assertRaises(UsageError, self.options, *arguments)
        self.assertIn(words, str(error))

    def file(self, content: bytes = STABLE) -> str:
        """A configuration file."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        return str(path)

    def test_withoutArgumentsAForwardProxyOnLoopback(self) -> None:
        """With the access log on standard output."""
        configuration = self.options().configuration
        self.assertEqual([front.listen for front in configuration.forward], [(DEFAULT_FORWARD,)])
        self.assertEqual(configuration.reverse, ())
        self.assertEqual(configuration.log.access, "-")
        self.assertEqual(self.stdout.getvalue() + self.stderr.getvalue(), "")

    def test_optionsMayBeRepeated(self) -> None:
        """In their order."""
        configuration = self.options(
            "--forward=tcp:1", "--reverse", "tcp:2", "--forward", "tcp:3", "--to", "http://a",
            "--to=http://b", "--reverse=tcp:4",
        ).configuration  # fmt: skip
        self.assertEqual(configuration.forward[0].listen, ("tcp:1", "tcp:3"))
        self.assertEqual(configuration.reverse[0].listen, ("tcp:2", "tcp:4"))
        (route,) = configuration.reverse[0].settings.routes
        self.assertEqual(route.upstream.servers, ("http://a", "http://b"))

    def test_aReverseFrontAloneHasNoForwardFrontBesideIt(self) -> None:
        """The default is for a command line that says nothing."""
        configuration = self.options("--reverse=tcp:1", "--to=http://a").configuration
        self.assertEqual(configuration.forward, ())

    def test_twoCommandLinesShareNothing(self) -> None:
        """Lists are of each one's own."""
        self.options("--forward=tcp:1")
        self.assertEqual(self.options().configuration.forward[0].listen, (DEFAULT_FORWARD,))

    def test_aFile(self) -> None:
        """It says it all."""
        path = self.file()
        self.assertEqual(self.options("--config", path).configuration.source, path)

    def test_whatDoesNotGoTogetherIsRefused(self) -> None:
        """With what to do instead."""
        self.misuse("do not go together", "--config=x", "--forward=tcp:1")
        self.misuse("do not go together", "--config=x", "--reverse=tcp:1", "--to=http://a")
        self.misuse("add --to", "--reverse=tcp:1")
        self.misuse("add --reverse", "--to=http://a")
        self.misuse("--config", "quickstart.toml")
        self.misuse("no-such", "--no-such")

    def test_problemsOfTheConfigurationEndTheProcess(self) -> None:
        """All of them are on standard error, with the count and exit code 1."""
        path = self.file(b"[forward.a]\nlistn = []\n")
        self.exits(1, "--config", path)
        lines = self.stderr.getvalue().splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith(f"{path}:1: forward.a.listen: is missing"))
        self.assertEqual(lines[2], "2 problems found.")
        self.assertEqual(self.stdout.getvalue(), "")

    def test_problemsOfTheCommandLineToo(self) -> None:
        """They name the option."""
        self.exits(1, "--forward=tpc:1")
        self.assertIn('command line: --forward = "tpc:1"', self.stderr.getvalue())
        self.assertIn("1 problem found.", self.stderr.getvalue())

    def test_checkSaysWhatWouldRun(self) -> None:
        """Fronts, listeners, routes, servers, log; exit code 0."""
        path = self.file()
        self.exits(0, "--config", path, "--check")
        self.assertEqual(
            self.stdout.getvalue(),
            f"{path} is valid. It runs:\n"
            "  forward proxy egress on tcp:3128:interface=127.0.0.1 "
            "(destination guard: auto, which is off with these listeners)\n"
            "  reverse proxy site on tcp:8000:interface=127.0.0.1\n"
            "    example.org *.example.org /api/ -> api "
            "(http://127.0.0.1:9001, http://127.0.0.1:9002)\n"
            "    any host / -> web (http://127.0.0.1:9000)\n"
            "  access log: access.log (combined)\n",
        )
        self.assertEqual(self.stderr.getvalue(), "")

    def test_checkSaysWhoIsPassedThrough(self) -> None:
        """By which names and protocols, and where to."""
        path = self.file(
            b"[reverse.db]\nlisten = ['tcp:1']\n"
            b"[[reverse.db.passthrough]]\nnames = ['a.example', '*.B.example']\nupstream = 'db'\n"
            b"[[reverse.db.passthrough]]\nnames = ['a.example']\nalpn = ['h2', 'x']\n"
            b"upstream = 'db'\n"
            b"[upstream.db]\nservers = ['tcp://10.0.0.5:5432']\n"
        )
        self.exits(0, "--config", path, "--check")
        self.assertIn(
            "  reverse proxy db on tcp:1\n"
            "    TLS a.example *.b.example -> db (tcp://10.0.0.5:5432), passed through\n"
            "    TLS a.example (h2 x) -> db (tcp://10.0.0.5:5432), passed through\n",
            self.stdout.getvalue(),
        )
        self.exits(0, "--config", path, "--explain")
        self.assertIn("reverse.db TLS a.example (h2 x) -> db\n", self.stdout.getvalue())

    def test_checkSaysWhoSpeaksTLS(self) -> None:
        """And with which certificates."""
        pem = Path(self.mktemp()).absolute()
        pem.write_bytes(made("example.org").both)
        pem.chmod(0o600)
        tls = b'tls = { certificate = "%b" }\n[[reverse.site.route]]\nhost' % bytes(pem)
        path = self.file(STABLE.replace(b"[[reverse.site.route]]\nhost", tls, 1))
        self.exits(0, "--config", path, "--check")
        self.assertIn(
            f"site on tcp:8000:interface=127.0.0.1 with TLS (intermediate, {pem})\n",
            self.stdout.getvalue(),
        )
        self.assertEqual(self.stderr.getvalue(), "")
        self.assertNotIn("without TLS", self.stdout.getvalue())
        only = STABLE.replace(b"[[reverse.site.route]]\nhost", b"https-only = true\n" + tls, 1)
        self.exits(0, "--config", self.file(only), "--check")
        self.assertIn(
            "    without TLS on tcp:80:interface=127.0.0.1 -> port 8000 (308)\n"
            "    Strict-Transport-Security: max-age=31536000\n",
            self.stdout.getvalue(),
        )
        pem.write_bytes(b"hello")
        self.exits(1, "--config", path, "--check")
        self.assertIn("has no private key in it", self.stderr.getvalue())

    def test_checkSaysWhatIsDecrypted(self) -> None:
        """Nobody is to overlook it."""
        folder = Path(self.mktemp()).absolute()
        write(str(folder), *makeAuthority("x", 9))
        table = f'{{ ca = "{folder}/ca.pem", key = "{folder}/ca.key"%s }}'
        for more, words in (
            ("", "everything"),
            (', except = ["a.example", "b.example"]', "everything but a.example, b.example"),
            (', only = ["*.c.example"]', "*.c.example"),
        ):
            self.stdout.truncate(0)
            line = b"[forward.a]\nlisten = ['unix:/s']\nintercept = " + (table % more).encode()
            self.exits(0, "--config", self.file(line), "--check")
            self.assertIn(
                f"on unix:/s, which DECRYPTS {words} on port 443 by {folder}/ca.pem (destination",
                self.stdout.getvalue(),
            )

    def test_checkSaysWhatComesByItself(self) -> None:
        """The names, how and from whom; nothing is made by that."""
        tls = b"tls = { acme = { terms-agreed = true } }\n[[reverse.site.route]]\nhost"
        path = self.file(STABLE.replace(b"[[reverse.site.route]]\nhost", tls, 1))
        self.exits(0, "--config", path, "--check")
        self.assertIn(
            "site on tcp:8000:interface=127.0.0.1 with TLS (intermediate, certificates for "
            "example.org by tls-alpn-01 from acme-v02.api.letsencrypt.org)\n",
            self.stdout.getvalue(),
        )
        self.assertEqual(self.stderr.getvalue(), "")
        self.assertFalse((Path(path).parent / "acme").exists())

    def test_checkSaysWhetherDestinationsAreGuarded(self) -> None:
        """As the file says, or as C{auto} comes out."""
        for line, words in (
            ("listen = ['tcp:1']", "auto, which is on with these listeners"),
            ("listen = ['tcp:1', 'unix:/s']", "auto, which is on with these listeners"),
            ("listen = ['unix:/s']", "auto, which is off with these listeners"),
            ("listen = ['unix:/s']\nguard = 'on'", "on"),
            ("listen = ['tcp:1']\nguard = 'off'", "off"),
        ):
            self.stdout.truncate(0)
            self.exits(0, "--config", self.file(b"[forward.a]\n" + line.encode()), "--check")
            self.assertIn(f"(destination guard: {words})\n", self.stdout.getvalue())

    def test_checkSaysWhatIsCached(self) -> None:
        """How much, and which fronts and routes are not."""
        lines = self.checked("")
        self.assertNotRegex("".join(lines), "cache:|not cached")
        lines = self.checked("[cache]\nmemory = '1GiB'\nmax-object = 1000\n")
        self.assertIn("  cache: 1 GiB of memory, 1000 B for one object", lines)
        self.assertNotRegex("".join(lines), "PURGE")
        less = self.checked("[cache]\nmemory = '1MiB'\n")
        self.assertIn("  cache: 1 MiB of memory, 1 MiB for one object", less)
        self.assertEqual(
            [line.split(" (")[0].split()[-1] for line in lines if line.endswith(", not cached")],
            ["tcp:1", "web"],
        )
        self.assertIn("    any host /cached/ -> web (http://h)", lines)

    def checked(self, cache: str) -> list[str]:
        """What C{--check} says of a file with these lines for the cache."""
        self.stdout.truncate(0)
        self.stdout.seek(0)
        text = f"""
{cache}
[forward.a]
listen = ["tcp:1"]
cache = false
[reverse.b]
listen = ["tcp:2"]
[[reverse.b.route]]
path = "/cached/"
upstream = "web"
[[reverse.b.route]]
upstream = "web"
cache = false
[upstream.web]
servers = ["http://h"]
"""
        self.exits(0, "--config", self.file(text.replace("'", '"').encode()), "--check")
        return self.stdout.getvalue().splitlines()

    def test_checkWithoutALog(self) -> None:
        """It says that there is none."""
        self.exits(0, "--config", self.file(b"[forward.a]\nlisten=['tcp:1']\n"), "--check")
        self.assertIn("no access log\n", self.stdout.getvalue())

    def test_checkSaysWhoMayPurge(self) -> None:
        """By address or network, as in the file."""
        lines = self.checked("[cache]\npurge-from = ['127.0.0.1', '10.0.0.0/8']\n")
        self.assertIn("  PURGE requests: from 127.0.0.1, 10.0.0.0/8", lines)

    def test_checkShowsWarnings(self) -> None:
        """On standard error; they do not fail it."""
        path = self.file(STABLE + b"[upstream.spare]\nservers = ['http://h']\n".replace(b"'", b'"'))
        self.exits(0, "--config", path, "--check")
        self.assertIn("upstream.spare: no route uses it", self.stderr.getvalue())

    def test_checkLooksAtTheDisk(self) -> None:
        """Of the cache, and makes nothing."""
        folder = self.mktemp()
        text = "[cache]\ndisk = { path = '%s', size = 9 }\n[forward.a]\nlisten=['tcp:1']\n"
        self.exits(0, "--config", self.file((text % folder).encode()), "--check")
        self.assertIn(f"cache on disk: {folder}, 9 B", self.stdout.getvalue())
        self.assertFalse(os.path.exists(folder))
        with open(folder, "wb"):
            pass
        self.exits(1, "--config", self.file((text % folder).encode()), "--check")
        self.assertIn(":2: cache.disk.path = ", self.stderr.getvalue())
        self.assertIn("is not a folder; name a folder", self.stderr.getvalue())

    def test_checkOfABadFileFails(self) -> None:
        """As a start would."""
        self.exits(1, "--config", self.file(b""), "--check")
        self.assertEqual(self.stdout.getvalue(), "")

    def test_explainPrintsThePrograms(self) -> None:
        """Of every route; exit code 0."""
        self.exits(0, "--config", self.file(), "--explain")
        listing = self.stdout.getvalue()
        for words in ("egress", "CONNECT", "site", "-> api", "-> web", "engine.derive"):
            self.assertIn(words, listing)

    def test_neitherOpensTheLog(self) -> None:
        """They leave nothing behind."""
        log = Path(self.mktemp())
        path = self.file(b'[forward.a]\nlisten = ["tcp:1"]\n[log]\naccess = "%b"\n' % bytes(log))
        self.exits(0, "--config", path, "--check", "--explain")
        self.assertFalse(log.exists())

    def test_version(self) -> None:
        """The project's, not Twisted's."""
        self.exits(0, "--version")
        self.assertEqual(self.stdout.getvalue(), f"intermediary {__version__}\n")

    def test_helpNamesEveryOption(self) -> None:
        """And what happens without any."""
        text = str(Options())
        for word in ("--config", "--forward", "--reverse", "--to", "--check", "--explain", "3128"):
            self.assertIn(word, text)
