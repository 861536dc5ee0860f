# -*- test-case-name: tests.ops.test_originfindings -*-
"""
L{intermediary.ops.originfindings}: a file with servers that speak TLS, read.
"""

from __future__ import annotations

from intermediary.ops.problems import ConfigurationError
from intermediary.ops.reading import parse

from ..net.certifying import authority, made
from ..net.test_certificatefiles import FolderCase

SITE = """\
[reverse.site]
listen = ["tcp:8443"]
[[reverse.site.route]]
upstream = "web"
[upstream.web]
servers = ["http://h", "https://h"]
tls = {table}
"""


class OriginFindingsTests(FolderCase):
    """Messages have the line of the key that they are about, and the value as it is written."""

    def setUp(self) -> None:
        super().setUp()
        self.put("ca.pem", authority().pem)
        us = made("us.example")
        self.put("us.pem", us.pem)
        self.put("us.key", us.key)
        self.source = str(self.folder / "proxy.toml")

    def problems(self, table: str) -> list[str]:
        """All that is wrong."""
        with self.assertRaises(ConfigurationError) as caught:
            parse(SITE.replace("{table}", table).encode(), self.source)
        return [str(each).removeprefix(self.source) for each in caught.exception.problems]

    def test_goodOnes(self) -> None:
        """There is nothing to say."""
        table = '{ ca = "ca.pem", certificate = "us.pem", key = "us.key" }'
        configuration = parse(SITE.replace("{table}", table).encode(), self.source)
        self.assertEqual(configuration.warnings, ())

    def test_filesThatCannotBeUsed(self) -> None:
        """Who is trusted and who we are, at once."""
        trusted, proven = self.problems('{ ca = "us.key", certificate = "none.pem" }')
        self.assertEqual(
            trusted,
            ':7: upstream.web.tls.ca = "us.key": has no certificate in it; '
            "name a file in PEM: -----BEGIN CERTIFICATE-----",
        )
        self.assertEqual(
            proven,
            ':7: upstream.web.tls.certificate = "none.pem": can\'t be read: '
            "No such file or directory; name a file that this user may read",
        )
        (problem,) = self.problems('{ verify = false, certificate = "us.pem", key = "none.key" }')
        self.assertIn(':7: upstream.web.tls.key = "none.key": can\'t be read', problem)
        self.put("other.key", made("us.example", number=1).key)
        (problem,) = self.problems('{ certificate = "us.pem", key = "other.key" }')
        self.assertIn('certificate = "us.pem": is not for this key', problem)

    def test_filesThatNobodyReads(self) -> None:
        """Without a server by TLS, or where nobody is verified by them."""
        table = '{ ca = "none.pem", certificate = "none.pem" }'
        text = SITE.replace("{table}", table).replace('"https://h"', '"http://i"')
        self.assertEqual(len(parse(text.encode(), self.source).warnings), 1)
        text = SITE.replace("{table}", '{ ca = "none.pem", verify = false }')
        self.assertEqual(len(parse(text.encode(), self.source).warnings), 2)
