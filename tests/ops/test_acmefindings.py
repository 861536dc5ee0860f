# -*- test-case-name: tests.ops.test_acmefindings -*-
"""
L{intermediary.ops.acmefindings}: a file whose fronts get their certificates by
themselves, read.
"""

from __future__ import annotations

import sys

from intermediary.ops.reading import parse
from intermediary.settings import AcmeSettings

from ..net.certifying import made
from .test_certificatefindings import CertificateCase

DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
SITE = """\
[reverse.site]
listen = ["tcp:8443"]
tls = {tls}
[[reverse.site.route]]
host = ["Example.org", "*.example.org"]
upstream = "web"
[[reverse.site.route]]
host = ["www.example.org", "example.org."]
path = "/x/"
upstream = "web"
[upstream.web]
servers = ["http://127.0.0.1:9000"]
"""
HTTP_01 = '{ acme = { terms-agreed = true, challenge = "http-01" } }'
PLAIN = """\
[reverse.plain]
listen = ["tcp:8080"]
[[reverse.plain.route]]
upstream = "web"
"""


class AcmeCase(CertificateCase):
    """Has a folder with a file of configuration."""

    def acme(self, acme: str, document: str = SITE) -> AcmeSettings:
        """The settings that become of it."""
        text = document.replace("{tls}", f"{{ acme = {{ {acme} }} }}")
        configuration = parse(text.encode(), self.source)
        self.assertEqual(configuration.warnings, ())
        tls = configuration.reverse[0].settings.tls
        assert tls is not None
        assert tls.acme is not None
        return tls.acme

    def wrong(self, acme: str, document: str = SITE) -> list[str]:
        """All that is wrong."""
        return self.problems(f"{{ acme = {{ {acme} }} }}", document)


class SettingsTests(AcmeCase):
    """What a file says becomes settings."""

    def test_theLeast(self) -> None:
        """The names are the exact hosts of the routes, each once."""
        self.assertEqual(
            self.acme("terms-agreed = true"),
            AcmeSettings(
                directory=DIRECTORY,
                names=("example.org", "www.example.org"),
                storage=str(self.folder.absolute() / "acme"),
                termsAgreed=True,
            ),
        )

    def test_everyKey(self) -> None:
        """A value other than the default for each; paths count from the file."""
        (self.folder / "x").mkdir()
        self.assertEqual(
            self.acme(
                'terms-agreed = true, directory = "https://ca.example/dir", email = "a@example.org", '
                'names = ["B.example"], challenge = "http-01", storage = "x/y", ca = "site.pem", '
                'key = "RSA"',
                SITE + PLAIN,
            ),
            AcmeSettings(
                directory="https://ca.example/dir",
                names=("b.example",),
                storage=str(self.folder.absolute() / "x" / "y"),
                termsAgreed=True,
                email="a@example.org",
                challenge="http-01",
                ca=str(self.folder.absolute() / "site.pem"),
                key="RSA",
            ),
        )

    def test_forwardFrontsToo(self) -> None:
        """They have no routes, so their names are said."""
        text = (
            '[forward.egress]\nlisten = ["tcp:3128"]\ntls = { acme = { terms-agreed = true, '
            'names = ["proxy.example.org"] } }\n'
        )
        configuration = parse(text.encode(), self.source)
        tls = configuration.forward[0].settings.tls
        assert tls is not None
        assert tls.acme is not None
        self.assertEqual(tls.acme.names, ("proxy.example.org",))
        (problem,) = self.problems("", text.replace(', names = ["proxy.example.org"]', ""))
        self.assertIn("there is no name to get a certificate for", problem)

    def test_besideFiles(self) -> None:
        """Of which the default may be one, or a name of ours."""
        certificates = self.folder / "certs"
        certificates.mkdir()
        (certificates / "a.pem").write_bytes(made("a.example").both)
        (certificates / "a.pem").chmod(0o600)
        for default in ("a.example", "www.example.org"):
            tls = (
                f'{{ certificates = "certs", default = "{default}", '
                "acme = { terms-agreed = true } }"
            )
            configuration = parse(SITE.replace("{tls}", tls).encode(), self.source)
            self.assertEqual(configuration.warnings, ())
        tls = '{ certificates = "certs", default = "x.example", acme = { terms-agreed = true } }'
        (problem,) = self.problems(tls, SITE)
        self.assertIn('tls.default = "x.example": is the name of no certificate', problem)
        tls = '{ default = "x.example", acme = { terms-agreed = true } }'
        (problem,) = self.problems(tls, SITE)
        self.assertIn('tls.default = "x.example": is the name of no certificate', problem)


class ProblemTests(AcmeCase):
    """What is wrong, with what to do about it."""

    def test_whatIsWrong(self) -> None:
        """One thing each."""
        agreed = "terms-agreed = true"
        for acme, said in (
            (
                "",
                (
                    "3: reverse.site.tls.acme.terms-agreed: the authority's terms of service have to "
                    "be agreed to; read them, and write terms-agreed = true"
                ),
            ),
            (
                "terms-agreed = false",
                (
                    "3: reverse.site.tls.acme.terms-agreed = false: the authority's terms of service "
                    "have to be agreed to; read them, and write terms-agreed = true"
                ),
            ),
            (
                f'{agreed}, names = ["*.example.org"]',
                (
                    '3: reverse.site.tls.acme.names[0] = "*.example.org": is a wildcard, which is '
                    "proved by dns-01 alone, and that is not done here; name each host, or get it "
                    "elsewhere and put it into certificates = FOLDER"
                ),
            ),
            (
                f'{agreed}, challenge = "http-01"',
                (
                    '3: reverse.site.tls.acme.challenge = "http-01": is asked for without TLS, on '
                    "port 80, and there is no reverse front for that; add one, or write "
                    'challenge = "tls-alpn-01"'
                ),
            ),
            (
                f'{agreed}, challenge = "dns-01"',
                (
                    "3: reverse.site.tls.acme.challenge = \"dns-01\": must be 'tls-alpn-01' or "
                    "'http-01'; write for example challenge = \"tls-alpn-01\""
                ),
            ),
            (
                f'{agreed}, directory = "http://ca.example/dir"',
                (
                    '3: reverse.site.tls.acme.directory = "http://ca.example/dir": is not an '
                    'https:// URL; write "letsencrypt", "letsencrypt-staging", or a URL as '
                    f'"{DIRECTORY}"'
                ),
            ),
            (
                f'{agreed}, ca = "none.pem"',
                (
                    '3: reverse.site.tls.acme.ca = "none.pem": can\'t be read: No such file or '
                    "directory; name a file of certificates"
                ),
            ),
            (
                f'{agreed}, ca = "site.key"',
                (
                    '3: reverse.site.tls.acme.ca = "site.key": has no certificate in it; name a file '
                    "in PEM: -----BEGIN CERTIFICATE-----"
                ),
            ),
        ):
            self.assertEqual(self.wrong(acme), [said])

    def test_names(self) -> None:
        """There are some."""
        document = SITE.replace('"Example.org", ', "").replace('"www.example.org", ', "")
        document = document.replace('"example.org."', '"192.0.2.1"')
        (problem,) = self.wrong("terms-agreed = true", document)
        self.assertEqual(
            problem,
            "3: reverse.site.tls.acme.names: there is no name to get a certificate for, as no route "
            'is for an exact host; add names = ["example.org"]',
        )
        (problem,) = self.wrong("terms-agreed = true, names = []")
        self.assertIn("at least 1 item", problem)

    def test_theStorage(self) -> None:
        """Others may not write there."""
        storage = self.folder / "acme"
        storage.mkdir()
        storage.chmod(0o770)
        (problem,) = self.wrong("terms-agreed = true")
        self.assertIn("may be written by others than its owner", problem)
        self.assertIn(f"chmod go-w {storage.absolute()}", problem)
        storage.chmod(0o755)
        self.acme("terms-agreed = true")
        storage.rmdir()
        storage.write_bytes(b"")
        (problem,) = self.wrong('terms-agreed = true, storage = "acme"')
        self.assertIn("is no folder", problem)

    def test_theExtra(self) -> None:
        """It is known before anything runs that something is not installed."""
        self.patch(sys, "path_importer_cache", {})
        known = {k: v for k, v in sys.modules.items() if k.partition(".")[0] == "acme"}
        for name in known:
            del sys.modules[name]

        def restore() -> None:
            sys.modules.pop("acme", None)
            sys.modules.update(known)

        self.addCleanup(restore)
        storage = self.folder / "acme"
        for path in ([], [str(self.folder)]):
            self.patch(sys, "path", path)
            (problem,) = self.wrong("terms-agreed = true")
            self.assertEqual(
                problem,
                "3: reverse.site.tls.acme: needs the package acme, which is not installed; "
                "pip install 'acme >= 5', or this package with its extra acme",
            )
            storage.mkdir(exist_ok=True)
            storage.chmod(0o700)

    def test_namesWithoutARoute(self) -> None:
        """Where http-01 would ask: the front answers as for any host that is not its."""
        for hosts, missing in (
            ('"a.example"', ["example.org", "www.example.org"]),
            ('"*.example.org"', ["example.org"]),
            ('"*.org"', []),
            ('"example.org.", "www.example.org"', []),
            ("", []),
        ):
            plain = PLAIN.replace("upstream", f"host = [{hosts}]\nupstream")
            text = SITE.replace("{tls}", HTTP_01) + plain
            warnings = self.short(
                [str(each) for each in parse(text.encode(), self.source).warnings]
            )
            self.assertEqual(
                warnings,
                [
                    '3: reverse.site.tls.acme.challenge = "http-01": no front without TLS has a '
                    f"route for {name}, which the authority needs; add one, or one for any host"
                    for name in missing
                ],
            )

    def test_trials(self) -> None:
        """Are told of at each start, lest it stays so."""
        text = SITE.replace(
            "{tls}", '{ acme = { terms-agreed = true, directory = "letsencrypt-staging" } }'
        )
        (warning,) = self.short([str(each) for each in parse(text.encode(), self.source).warnings])
        self.assertEqual(
            warning,
            '3: reverse.site.tls.acme.directory = "letsencrypt-staging": its certificates are for '
            "trials: clients refuse them; remove the key when all is well",
        )
