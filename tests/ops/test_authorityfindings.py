# -*- test-case-name: tests.ops.test_authorityfindings -*-
"""
L{intermediary.ops.authorityfindings}: a file with a front that intercepts, read.
"""

from __future__ import annotations

from intermediary.ops.makeca import makeAuthority, write
from intermediary.ops.problems import ConfigurationError
from intermediary.ops.reading import parse
from intermediary.settings import InterceptSettings

from ..net.certifying import authority, made
from ..net.test_certificatefiles import FolderCase

EGRESS = """\
[forward.egress]
listen = ["tcp:3128"]
connect-ports = [443, 8443]
intercept = {table}
"""


class AuthorityFindingsTests(FolderCase):
    """Messages have the line of the key that they are about."""

    def setUp(self) -> None:
        super().setUp()
        root = authority("intercepting.example")
        self.put("ca.pem", root.pem)
        self.put("ca.key", root.key)
        (self.folder / "ca.key").chmod(0o600)
        self.source = str(self.folder / "proxy.toml")

    def problems(self, table: str) -> list[str]:
        """All that is wrong."""
        with self.assertRaises(ConfigurationError) as caught:
            parse(EGRESS.replace("{table}", table).encode(), self.source)
        return [str(each).removeprefix(self.source) for each in caught.exception.problems]

    def test_goodOnesBecomeSettings(self) -> None:
        """With absolute paths, which count from the folder of the file."""
        table = (
            '{ ca = "ca.pem", key = "ca.key", except = ["*.Bank.example", "192.0.2.0/24"], '
            'only = ["a.example"], ports = [8443], trust = "ca.pem", handshake-seconds = 3, '
            "handshakes = 7 }"
        )
        configuration = parse(EGRESS.replace("{table}", table).encode(), self.source)
        self.assertEqual(configuration.warnings, ())
        root = self.folder.absolute()
        self.assertEqual(
            configuration.forward[0].settings.intercept,
            InterceptSettings(
                ca=str(root / "ca.pem"),
                key=str(root / "ca.key"),
                excepted=("*.bank.example", "192.0.2.0/24"),
                only=("a.example",),
                ports=(8443,),
                trust=str(root / "ca.pem"),
                handshakeSeconds=3,
                handshakes=7,
            ),
        )

    def test_defaultsAreThoseOfTheSettings(self) -> None:
        """Of what is not said."""
        table = '{ ca = "ca.pem", key = "ca.key" }'
        configuration = parse(EGRESS.replace("{table}", table).encode(), self.source)
        root = self.folder.absolute()
        self.assertEqual(
            configuration.forward[0].settings.intercept,
            InterceptSettings(ca=str(root / "ca.pem"), key=str(root / "ca.key")),
        )

    def test_filesThatCannotBeUsed(self) -> None:
        """Of both kinds at once."""
        self.put("leaf.pem", made("a.example").both)
        first, second = self.problems('{ ca = "leaf.pem", trust = "ca.key" }')
        self.assertEqual(
            first,
            ':4: forward.egress.intercept.ca = "leaf.pem": is no authority: clients believe '
            "nothing that it signs; make an authority: intermediary-make-ca FOLDER",
        )
        self.assertEqual(
            second,
            ':4: forward.egress.intercept.trust = "ca.key": has no certificate in it; '
            "name a file in PEM: -----BEGIN CERTIFICATE-----",
        )
        (problem,) = self.problems('{ ca = "ca.pem", key = "no.key" }')
        self.assertIn('intercept.key = "no.key": can\'t be read', problem)

    def test_oddities(self) -> None:
        """They are warnings."""
        (self.folder / "ca.key").chmod(0o644)
        table = '{ ca = "ca.pem", key = "ca.key" }'
        (warning,) = parse(EGRESS.replace("{table}", table).encode(), self.source).warnings
        self.assertEqual(warning.table, "forward.egress.intercept.key")
        self.assertIn("pass for every server", warning.message)

    def test_whatTheAuthorityMayNotVouchFor(self) -> None:
        """It is not decrypted, whatever C{only} says."""
        write(str(self.folder / "limited"), *makeAuthority("x", 9, ["example.org"]))
        for only, said in (
            ('["*.example.org", "a.example.org", "192.0.2.0/24"]', []),
            ('["a.example.org", "*.Example.com", "b.example"]', ["*.example.com b.example"]),
        ):
            table = f'{{ ca = "limited/ca.pem", key = "limited/ca.key", only = {only} }}'
            found = parse(EGRESS.replace("{table}", table).encode(), self.source).warnings
            self.assertEqual(
                [each.message for each in found],
                [
                    f"the authority may not vouch for all of {each}: "
                    "what it may not, is tunnelled unseen"
                    for each in said
                ],
            )

    def test_valuesThatAreNone(self) -> None:
        """Patterns, ports, paths."""
        for key, words in (
            ('except = ["bank.example:443"]', "is more than a host"),
            ('except = ["10.1"]', "is the name of no destination"),
            ('only = ["*"]', "is not a host"),
            ('only = ["192.0.2.1/24"]', "bits set"),
            ("ports = []", "must have at least 1 item"),
            ("ports = [25]", "CONNECT may not reach port 25; add 25 to connect-ports"),
            ('ca = ""', "is not a path"),
            ("verify = false", "unknown key"),
        ):
            other = "" if key.startswith("ca") else 'ca = "ca.pem", '
            (problem,) = self.problems(f'{{ {other}key = "ca.key", {key} }}')
            self.assertIn(words, problem)
