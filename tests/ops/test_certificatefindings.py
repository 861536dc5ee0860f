# -*- test-case-name: tests.ops.test_certificatefindings -*-
"""
L{intermediary.ops.certificatefindings}: a file whose fronts speak TLS, read.
"""

from __future__ import annotations

from pathlib import Path

from intermediary.ops.problems import ConfigurationError
from intermediary.ops.reading import parse
from intermediary.settings import TLSSettings

from ..net.certifying import authority, made
from ..net.responding import stapled
from ..net.test_certificatefiles import FolderCase

A = made("a.example")
SITE = """\
[reverse.site]
listen = ["tcp:8443"]
tls = {tls}
[[reverse.site.route]]
upstream = "web"
[upstream.web]
servers = ["http://127.0.0.1:9000"]
[forward.egress]
listen = ["tcp:3128"]
"""


class CertificateCase(FolderCase):
    """Has a folder with a file of configuration."""

    def setUp(self) -> None:
        super().setUp()
        self.put("site.pem", A.pem)
        self.put("site.key", A.key)
        self.source = str(self.folder / "proxy.toml")

    def problems(self, tls: str, document: str = SITE) -> list[str]:
        """All that is wrong."""
        with self.assertRaises(ConfigurationError) as caught:
            parse(document.replace("{tls}", tls).encode(), self.source)
        return self.short([str(each) for each in caught.exception.problems])

    def short(self, text: list[str]) -> list[str]:
        """Without the name of the file."""
        return [each.removeprefix(f"{self.source}:") for each in text]

    def warnings(self, tls: str, document: str = SITE) -> list[str]:
        """All that is odd."""
        configuration = parse(document.replace("{tls}", tls).encode(), self.source)
        return self.short([str(each) for each in configuration.warnings])


class FindingTests(CertificateCase):
    """Messages have the line, and words of the certificates."""

    def test_goodOnesBecomeSettings(self) -> None:
        """With absolute paths, which count from the folder of the file."""
        text = '{ certificate = "site.pem", key = "../x/site.key" }'
        other = self.folder.parent / "x"
        other.mkdir(exist_ok=True)
        (self.folder / "site.key").rename(other / "site.key")
        configuration = parse(SITE.replace("{tls}", text).encode(), self.source)
        self.assertEqual(configuration.warnings, ())
        root = self.folder.absolute()
        self.assertEqual(
            configuration.reverse[0].settings.tls,
            TLSSettings(
                certificate=str(root / "site.pem"), key=str(root.parent / "x" / "site.key")
            ),
        )
        self.assertIsNone(configuration.forward[0].settings.tls)

    def test_everyKey(self) -> None:
        """A value other than the default for each."""
        text = (
            '{ certificates = ".", default = "A.example", profile = "modern",'
            " handshake-seconds = 3, handshakes = 7, resumption-seconds = 0, stapling = false }"
        )
        configuration = parse(SITE.replace("{tls}", text).encode(), self.source)
        self.assertEqual(
            configuration.reverse[0].settings.tls,
            TLSSettings(
                certificates=str(self.folder.absolute()),
                default="a.example",
                profile="modern",
                handshakeSeconds=3,
                handshakes=7,
                resumptionSeconds=0,
                stapling=False,
            ),
        )

    def test_forwardFrontsToo(self) -> None:
        """A listener for proxy clients that speak TLS."""
        text = '[forward.egress]\nlisten = ["tcp:3128"]\ntls = { certificate = "none.pem" }\n'
        (problem,) = self.problems("", text)
        self.assertEqual(
            problem,
            '3: forward.egress.tls.certificate = "none.pem": '
            "can't be read: No such file or directory; name a file that this user may read",
        )

    def test_whatIsWrongIsSaidWhereItStands(self) -> None:
        """With what to do about it; of all fronts at once."""
        self.put("other.key", made("b.example", number=1).key)
        self.put("secret.key", A.encryptedKey)
        for tls, said in (
            (
                '{ certificate = "site.pem" }',
                (
                    '3: reverse.site.tls.certificate = "site.pem": has no private key in it; '
                    'add it, or name its file with key = "..."'
                ),
            ),
            (
                '{ certificate = "site.pem", key = "other.key" }',
                (
                    '3: reverse.site.tls.certificate = "site.pem": is not for this key; name the key '
                    "that the certificate was requested with, or get a new certificate"
                ),
            ),
            (
                '{ certificate = "site.pem", key = "secret.key" }',
                (
                    '3: reverse.site.tls.certificate = "site.pem": has a key under a password, which '
                    "nobody is there to type; decrypt it: openssl pkey -in FILE -out PLAIN, readable "
                    "by the proxy's user alone"
                ),
            ),
            (
                '{ certificates = "certs" }',
                (
                    '3: reverse.site.tls.certificates = "certs": can\'t be read: '
                    "No such file or directory; name a folder that this user may read"
                ),
            ),
            (
                '{ certificates = ".", default = "b.example" }',
                (
                    '3: reverse.site.tls.default = "b.example": is the name of no certificate; '
                    "name one that there is"
                ),
            ),
            (
                '{ certificate = "site.pem", key = "site.key", profile = "old" }',
                (
                    "3: reverse.site.tls.profile = \"old\": must be 'intermediate', 'modern' or "
                    "'compatible'; write for example profile = \"intermediate\""
                ),
            ),
        ):
            self.assertEqual(self.problems(tls), [said])

    def test_aFolderIsReadWhole(self) -> None:
        """Each bad file in it has its message."""
        certificates = Path(self.folder) / "certs"
        certificates.mkdir()
        (certificates / "a.pem").write_bytes(A.both)
        (certificates / "b.pem").write_bytes(b"hello")
        (certificates / "c.pem").write_bytes(A.pem)
        found = self.problems('{ certificates = "certs" }')
        self.assertEqual(len(found), 2)
        self.assertIn("b.pem has no private key in it", found[0])
        self.assertIn("c.pem has no private key in it", found[1])

    def test_oddOnesAreWarnedOf(self) -> None:
        """They work, or would if clients took them."""
        old = made("a.example", days=-5)
        self.put("old.pem", old.both)
        (self.folder / "old.pem").chmod(0o644)
        warnings = self.warnings('{ certificate = "old.pem" }')
        self.assertEqual(len(warnings), 2)
        self.assertIn("expired on", warnings[0])
        self.assertIn("every user of this host may read", warnings[1])

    def test_whatNeedsAResponseAndGetsNone(self) -> None:
        """Clients will refuse it."""
        self.put("must.pem", stapled(must=True).both + authority().pem)
        (self.folder / "must.pem").chmod(0o600)
        self.assertEqual(self.warnings('{ certificate = "must.pem" }'), [])
        [warning] = self.warnings('{ certificate = "must.pem", stapling = false }')
        self.assertIn("refused by clients without an OCSP response; remove stapling", warning)

    def test_hostsThatNoCertificateIsFor(self) -> None:
        """Clients refuse what they get there; of wildcards nothing can be said."""
        hosts = 'host = ["b.example", "A.example.", "*.c.example"]\nupstream'
        document = SITE.replace("upstream", hosts, 1)
        site = 'certificate = "site.pem", key = "site.key"'
        [warning] = self.warnings(f"{{ {site} }}", document)
        self.assertEqual(
            warning,
            '3: reverse.site.tls.certificate = "site.pem": is not for b.example, which a route '
            "is for: clients refuse it there; get one that is, or mend the host of the route",
        )
        acme = "acme = { terms-agreed = true }"
        self.assertEqual(self.warnings(f"{{ {site}, {acme} }}", document), [])
        self.put("b.pem", made("*.example").both)
        (self.folder / "b.pem").chmod(0o600)
        self.assertEqual(self.warnings('{ certificates = "." }', document), [])

    def test_clientsOfWhoHasNoFiles(self) -> None:
        """Who vouches for clients is looked at beside C{acme}, too."""
        acme = 'acme = { terms-agreed = true, names = ["a.example"] }'
        [problem] = self.problems(f'{{ {acme}, clients = {{ ca = "none.pem" }} }}')
        self.assertEqual(
            problem,
            '3: reverse.site.tls.clients.ca = "none.pem": '
            "can't be read: No such file or directory; name a file that this user may read",
        )
        self.put("ca.pem", authority().pem)
        self.assertEqual(self.warnings(f'{{ {acme}, clients = {{ ca = "ca.pem" }} }}'), [])

    def test_keysThatGoTogether(self) -> None:
        """And those that do not."""
        for tls, said in (
            ("{}", "reverse.site.tls: there is no certificate; add certificate"),
            (
                '{ certificate = "site.pem", key = "site.key", certificates = "." }',
                "certificates names a folder of them already; put it there",
            ),
            (
                '{ certificates = ".", key = "site.key" }',
                "the keys are in the folder, with their certificates; remove it",
            ),
            (
                '{ certificate = "site.pem", key = "site.key", default = "a.example" }',
                "there is one certificate, for whoever connects; remove it",
            ),
            ('{ certificates = ".", default = "*.example" }', "is a pattern; name one"),
            ('{ certificate = "" }', "is not a path; name a file"),
        ):
            found = self.problems(tls)
            self.assertEqual(len(found), 1, found)
            self.assertIn(said, found[0])

    def test_TLSIsSpokenOnce(self) -> None:
        """An endpoint with a certificate of its own needs no other."""
        path = self.put("both.pem", A.both)
        listen = f"ssl:8443:privateKey={path}:certKey={path}"
        document = SITE.replace("tcp:8443", listen)
        (problem,) = self.problems('{ certificate = "both.pem" }', document)
        self.assertIn("speaks TLS by itself, and tls would again", problem)
