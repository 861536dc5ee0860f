# -*- test-case-name: tests.ops.test_clientconsistency -*-
"""
L{intermediary.ops.clientconsistency}, and all that a file says of certificates of clients.
"""

from __future__ import annotations

from intermediary.ops.clientconsistency import clientInconsistencies, clientOddities
from intermediary.ops.problems import ConfigurationError
from intermediary.ops.reading import parse
from intermediary.settings import ClientRuleSettings, ClientTLSSettings

from ..net.certifying import authority, listPEM, made, revoked
from ..net.test_certificatefiles import FolderCase

SITE = """\
[reverse.site]
listen = ["tcp:8443"]
tls = { certificate = "site.pem", clients = {clients} }
[[reverse.site.route]]
upstream = "web"
{route}
[upstream.web]
servers = ["http://127.0.0.1:9000"]
{more}
"""


class FileTests(FolderCase):
    """A file, read."""

    def setUp(self) -> None:
        super().setUp()
        self.put("site.pem", made("a.example").both)
        self.put("ca.pem", authority().pem)
        self.put("crl.pem", listPEM(revoked(authority())))
        self.source = str(self.folder.absolute() / "proxy.toml")

    def document(
        self, clients: str = '{ ca = "ca.pem" }', route: str = "", more: str = ""
    ) -> bytes:
        """Write it."""
        text = SITE.replace("{clients}", clients).replace("{route}", route)
        return text.replace("{more}", more).encode()

    def problems(self, *arguments: str, **more: str) -> list[str]:
        """All that is wrong."""
        with self.assertRaises(ConfigurationError) as caught:
            parse(self.document(*arguments, **more), self.source)
        return [str(each).removeprefix(f"{self.source}:") for each in caught.exception.problems]

    def test_everyKey(self) -> None:
        """With absolute paths; names of fields are kept from all reverse fronts."""
        clients = (
            '{ ca = "ca.pem", crl = "x/../crl.pem", required = false, headers = '
            '{ subject = "X-Subject", certificate = "X-Cert", chain = "X-Chain" } }'
        )
        route = (
            "client-headers = false\n"
            'client-certificate = { subject = ["CN=a,*"], san = ["dns:*.b"], '
            f'fingerprint = ["{":".join(["AB"] * 32)}"] }}'
        )
        more = (
            '[reverse.plain]\nlisten = ["tcp:80"]\n[[reverse.plain.route]]\nupstream = "web"\n'
            '[forward.egress]\nlisten = ["tcp:3128"]\nclient-certificate = true\n'
            'tls = { certificate = "site.pem", clients = { ca = "ca.pem" } }'
        )
        configuration = parse(self.document(clients, route, more), self.source)
        self.assertEqual(configuration.warnings, ())
        site, plain = (each.settings for each in configuration.reverse)
        root = self.folder.absolute()
        assert site.tls is not None
        self.assertEqual(
            site.tls.clients,
            ClientTLSSettings(
                ca=str(root / "ca.pem"),
                crl=str(root / "crl.pem"),
                required=False,
                headers=(
                    ("certificate", "X-Cert"),
                    ("chain", "X-Chain"),
                    ("subject", "X-Subject"),
                ),
            ),
        )
        self.assertEqual(
            site.routes[0].clientCertificate,
            ClientRuleSettings(subject=("CN=a,*",), san=("dns:*.b",), fingerprint=("ab" * 32,)),
        )
        self.assertFalse(site.routes[0].clientHeaders)
        self.assertIsNone(plain.routes[0].clientCertificate)
        self.assertEqual(configuration.forward[0].settings.clientCertificate, ClientRuleSettings())
        for each in (site, plain):
            self.assertEqual(each.reservedFields, ("X-Cert", "X-Chain", "X-Subject"))

    def test_theNamesOfTheRFC(self) -> None:
        """In one word, or in two."""
        for word, headers in (
            ("rfc9440", (("certificate", "Client-Cert"),)),
            (
                "rfc9440-chain",
                (("certificate", "Client-Cert"), ("chain", "Client-Cert-Chain")),
            ),
        ):
            clients = f'{{ ca = "ca.pem", headers = "{word}" }}'
            configuration = parse(self.document(clients), self.source)
            tls = configuration.reverse[0].settings.tls
            assert tls is not None
            assert tls.clients is not None
            self.assertEqual(tls.clients.headers, headers)

    def test_whatIsWrongIsSaidWhereItStands(self) -> None:
        """With what to do about it."""
        self.put("bad.pem", b"hello")
        for clients, said in (
            ("{}", '3: reverse.site.tls.clients.ca: is missing; add ca = "clients-ca.pem"'),
            (
                '{ ca = "none.pem" }',
                (
                    '3: reverse.site.tls.clients.ca = "none.pem": can\'t be read: '
                    "No such file or directory; name a file that this user may read"
                ),
            ),
            (
                '{ ca = "ca.pem", crl = "bad.pem" }',
                (
                    '3: reverse.site.tls.clients.crl = "bad.pem": has no list of what was revoked in '
                    "it; name a file in PEM: -----BEGIN X509 CRL-----, or make one of it: openssl crl "
                    "-inform DER -in FILE -out crl.pem"
                ),
            ),
            (
                '{ ca = "ca.pem", headers = "xfcc" }',
                (
                    '3: reverse.site.tls.clients.headers = "xfcc": is no way to tell of certificates; '
                    'write "rfc9440", "rfc9440-chain", or a table as { subject = "X-Client-Subject" }'
                ),
            ),
            (
                '{ ca = "ca.pem", headers = { subject = "Client-Cert" } }',
                (
                    '3: reverse.site.tls.clients.headers.subject = "Client-Cert": has a meaning of '
                    'its own (RFC 9440); write headers = "rfc9440" to send it'
                ),
            ),
            (
                '{ ca = "ca.pem", headers = { subject = "X_Subject" } }',
                (
                    '3: reverse.site.tls.clients.headers.subject = "X_Subject": has an underscore, '
                    "which many servers drop; write hyphens"
                ),
            ),
            (
                '{ ca = "ca.pem", headers = { subject = "Authorization" } }',
                (
                    '3: reverse.site.tls.clients.headers.subject = "Authorization": has a meaning in '
                    'HTTP; name one of your own, such as "X-Client-Subject"'
                ),
            ),
            (
                '{ ca = "ca.pem", headers = { subject = "X-A", serial = "x-a" } }',
                (
                    '3: reverse.site.tls.clients.headers.serial = "x-a": subject has this name; '
                    "give it another"
                ),
            ),
        ):
            self.assertEqual(self.problems(clients), [said])

    def test_allComesAtOnce(self) -> None:
        """Files of clients, and of the server."""
        self.put("site.pem", b"hello")
        self.put("ca.pem", b"hello")
        self.assertEqual(len(self.problems('{ ca = "ca.pem", crl = "ca.pem" }')), 3)

    def test_whatIsNoRule(self) -> None:
        """Of a route."""
        for rule, said in (
            ("{}", "says nothing of certificates; write true for any"),
            ("{ subject = [] }", "says nothing of certificates; write true for any"),
            ('"alice"', "says nothing of certificates; write true for any"),
            ('{ subject = ["alice"] }', 'has a part that is no TYPE=VALUE: "alice"'),
            ('{ san = ["a.example"] }', "is no alternative name"),
            ('{ fingerprint = ["AB"] }', "is no SHA-256 fingerprint"),
            ('{ subjects = ["CN=a"] }', "unknown key; did you mean"),
        ):
            (problem,) = self.problems(route=f"client-certificate = {rule}")
            self.assertIn("6: reverse.site.route[0].client-certificate", problem)
            self.assertIn(said, problem)

    def test_aRuleNeedsCertificates(self) -> None:
        """Otherwise it would let nobody in."""
        more = (
            '[forward.egress]\nlisten = ["tcp:3128"]\nclient-certificate = true\n'
            '[reverse.plain]\nlisten = ["tcp:80"]\n[[reverse.plain.route]]\nupstream = "web"\n'
            'client-certificate = { subject = ["CN=a"] }'
        )
        problems = self.problems(more=more)
        self.assertEqual(len(problems), 2)
        for problem, name in zip(problems, ("forward.egress", "reverse.plain"), strict=True):
            self.assertIn("lets nobody in: clients are not asked for certificates", problem)
            self.assertIn(f"to tls of [{name}]", problem)

    def test_aForwardFrontTellsNobody(self) -> None:
        """Who its clients are is no business of servers."""
        more = (
            '[forward.egress]\nlisten = ["tcp:3128"]\ntls = { certificate = "site.pem", '
            'clients = { ca = "ca.pem", headers = "rfc9440" } }'
        )
        (problem,) = self.problems(more=more)
        self.assertIn(
            'forward.egress.tls.clients.headers = "rfc9440": a forward proxy tells', problem
        )

    def test_oddOnesAreWarnedOf(self) -> None:
        """Lists that keep clients out; caches that let them in."""
        self.put("crl.pem", listPEM(revoked(authority(), days=-1)))
        clients = '{ ca = "ca.pem", crl = "crl.pem" }'
        share = 'cache = { share = "all" }'
        more = (
            '[cache]\n[reverse.plain]\nlisten = ["tcp:80"]\n[[reverse.plain.route]]\n'
            f'upstream = "web"\n{share}'
        )
        configuration = parse(self.document(clients, share, more), self.source)
        second, first = map(str, configuration.warnings)
        self.assertIn("that has expired on", first)
        self.assertIn('3: reverse.site.tls.clients.crl = "crl.pem"', first)
        self.assertIn('6: reverse.site.route[0].cache.share = "all"', second)
        self.assertIn("[reverse.plain] shares it, and answers with it who has shown no", second)
        same = more.replace(share, "")
        configuration = parse(self.document(route=share, more=same), self.source)
        self.assertEqual(configuration.warnings, ())

    def test_anythingMayStandThere(self) -> None:
        """The model reports it."""
        for document in (
            {"reverse": 1, "forward": {"a": 1}},
            {"reverse": {"a": {"route": 1, "tls": 1}, "b": {"route": [1]}}},
            {"reverse": {"a": {"tls": {"clients": {"headers": {"subject": 1}}}}}},
        ):
            self.assertEqual(list(clientInconsistencies(document)), [])
            self.assertEqual(list(clientOddities(document)), [])
