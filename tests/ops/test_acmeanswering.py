# -*- test-case-name: tests.ops.test_acmeanswering -*-
"""
L{intermediary.ops.acmeanswering}: which fronts answer an authority.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmestore import AcmeStore
from intermediary.ops.acmeanswering import answering, described
from intermediary.ops.compile import assemble
from intermediary.ops.reading import parse
from intermediary.settings import AcmeSettings, ForwardSettings, TLSSettings

TOKEN = "DGyRejmCefe7v4NfDGDKfA"
DIRECTORY = "https://ca.example:14000/dir"
FILE = """\
[forward.egress]
listen = ["tcp:3128"]
[reverse.site]
listen = ["tcp:8443"]
tls = { acme = { terms-agreed = true, challenge = "CHALLENGE", directory = "DIRECTORY" } }
[[reverse.site.route]]
host = ["a.example", "b.example"]
upstream = "web"
[reverse.plain]
listen = ["tcp:8080"]
[[reverse.plain.route]]
upstream = "web"
[upstream.web]
servers = ["http://127.0.0.1:9000"]
"""


def settings(storage: str, challenge: Any = "http-01") -> ForwardSettings:
    """A front that gets its certificates by itself."""
    acme = AcmeSettings(
        directory=DIRECTORY, names=("a.example",), storage=storage, challenge=challenge
    )
    return ForwardSettings(name="site", tls=TLSSettings(acme=acme))


class AnsweringTests(SynchronousTestCase):
    """Of several fronts."""

    def test_nobodyNeedsIt(self) -> None:
        """Without ACME, or with the challenge that is met with TLS."""
        plain = ForwardSettings(name="plain")
        secure = ForwardSettings(name="secure", tls=TLSSettings(certificate="a.pem"))
        self.assertIsNone(answering([plain, secure, settings("x", "tls-alpn-01")]))

    def test_forAllThatOrder(self) -> None:
        """Each storage is looked at, once."""
        folders = [self.mktemp() for _ in range(2)]
        found = answering([settings(folders[0]), settings(folders[0]), settings(folders[1])])
        assert found is not None
        self.assertEqual(len(found._finders), 2)
        for folder in folders:
            store = AcmeStore(folder, DIRECTORY)
            store.prepare()
            with store.published("http-01", {TOKEN: b"answer"}):
                self.assertEqual(
                    sorted(str(find(TOKEN)) for find in found._finders), ["None", "b'answer'"]
                )

    def test_described(self) -> None:
        """In a line, for whoever looks at what runs."""
        acme = settings("x").tls
        assert acme is not None
        assert acme.acme is not None
        self.assertEqual(
            described(acme.acme), "certificates for a.example by http-01 from ca.example:14000"
        )


class AssemblyTests(SynchronousTestCase):
    """Of a whole process."""

    def explained(self, challenge: str, file: str = FILE) -> str:
        """What C{--explain} prints."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        text = file.replace("CHALLENGE", challenge).replace("DIRECTORY", DIRECTORY)
        configuration = parse(text.encode(), str(folder / "proxy.toml"))
        self.assembly: Any = assemble(configuration, Clock())
        self.addCleanup(self.assembly.stop)
        self.assertEqual(list(folder.iterdir()), [])
        return str(self.assembly.explain())

    def test_frontsWithoutTLSAnswer(self) -> None:
        """First of all; and it is said what is got, and how."""
        explained = self.explained("http-01")
        plain = explained.partition("reverse.plain any host")[2]
        self.assertIn("1 acmeanswers.AcmeAnswers.onRequest\n  fetch", plain)
        self.assertEqual(explained.count("AcmeAnswers"), 1)
        self.assertIn(
            "\n\nsite: certificates for a.example b.example by http-01 from ca.example:14000",
            explained,
        )

    def test_whereItIsRedirectedToTLS(self) -> None:
        """The answer stands before that, and no other front is needed for it."""
        file = FILE[: FILE.index("[reverse.plain]")] + FILE[FILE.index("[upstream.web]") :]
        file = file.replace("[[", 'https-only = { from = ["tcp:8080"] }\n[[', 1)
        explained = self.explained("http-01", file)
        self.assertRegex(explained, r"0 acmeanswers\S*\n +1 securelocation")
        self.assertEqual(explained.count("AcmeAnswers"), 1)

    def test_askedToReadItAgain(self) -> None:
        """What has failed is tried at once."""
        self.explained("tls-alpn-01")
        (front,) = [each for each in self.assembly.fronts if each.factory.tls is not None]
        hurried: list[int] = []
        self.patch(front.factory.tls.automatic, "hurry", lambda: hurried.append(1))
        self.assertTrue(self.assembly.reload())
        self.assertEqual(hurried, [1])

    def test_theOtherChallenge(self) -> None:
        """Needs no step."""
        explained = self.explained("tls-alpn-01")
        self.assertNotIn("AcmeAnswers", explained)
        self.assertIn("by tls-alpn-01 from", explained)
