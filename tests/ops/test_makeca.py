# -*- test-case-name: tests.ops.test_makeca -*-
"""
The command C{intermediary-make-ca}.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.minting import Authority
from intermediary.ops import makeca


class MakeCATestCase(SynchronousTestCase):
    """Runs the command."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.stdout = io.StringIO()
        self.stderr = io.StringIO()
        self.patch(sys, "stdout", self.stdout)
        self.patch(sys, "stderr", self.stderr)

    def makes(self, *arguments: str) -> x509.Certificate:
        """Run it, and read what it has made."""
        self.assertEqual(makeca.main([str(self.folder), *arguments]), 0)
        octets = (self.folder / "ca.pem").read_bytes()
        Authority.read(octets, (self.folder / "ca.key").read_bytes())
        return x509.load_pem_x509_certificate(octets)

    def refuses(self, *arguments: str) -> str:
        """Run it with a command line that is wrong, and give what it says."""
        with self.assertRaises(SystemExit) as caught:
            makeca.main([str(self.folder), *arguments])
        self.assertEqual(caught.exception.code, 2)
        self.assertFalse(self.folder.exists())
        return self.stderr.getvalue()


class MakingTests(MakeCATestCase):
    """What is made."""

    def test_theCertificate(self) -> None:
        """An authority that signs certificates of servers, and of no other authority."""
        certificate = self.makes()
        extensions = certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertTrue(basic.critical)
        self.assertEqual((basic.value.ca, basic.value.path_length), (True, 0))
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        self.assertTrue(usage.critical)
        self.assertTrue(usage.value.key_cert_sign)
        self.assertFalse(usage.value.digital_signature)
        with self.assertRaises(x509.ExtensionNotFound):
            extensions.get_extension_for_class(x509.NameConstraints)
        lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        self.assertEqual(lasts.days, makeca.DAYS + 1)
        self.assertEqual(certificate.subject, certificate.issuer)
        certificate.verify_directly_issued_by(certificate)

    def test_limits(self) -> None:
        """Names, with all below, in ASCII."""
        certificate = self.makes("--within", "*.Corp.example", "--within", "b\u00fccher.example")
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
        self.assertTrue(found.critical)
        self.assertEqual(
            [each.value for each in found.value.permitted_subtrees or ()],
            ["corp.example", "xn--bcher-kva.example"],
        )
        self.assertEqual(len(found.value.excluded_subtrees or ()), 2)
        self.assertIn("corp.example and below", self.stdout.getvalue())

    def test_itsNameAndTime(self) -> None:
        """As the operator wants them."""
        certificate = self.makes("--name", "Our Office", "--days", "30")
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=Our Office")
        lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        self.assertEqual(lasts.days, 31)

    def test_permissions(self) -> None:
        """Whatever the mask, the key is its owner's alone."""
        before = os.umask(0)
        try:
            self.makes()
        finally:
            os.umask(before)
        self.assertEqual(stat.S_IMODE((self.folder / "ca.key").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE((self.folder / "ca.pem").stat().st_mode), 0o644)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)

    def test_whatItSays(self) -> None:
        """Where the files are, how to know the certificate again, what it means."""
        self.folder = self.folder.relative_to(Path.cwd())
        certificate = self.makes()
        said = self.stdout.getvalue()
        self.assertIn(
            f"Made {self.folder.absolute()}/ca.pem and {self.folder.absolute()}/ca.key.", said
        )
        self.assertIn(certificate.fingerprint(hashes.SHA256()).hex(":").upper(), said)
        self.assertIn("every name there is", said)
        for words in ("WHAT THIS IS", "curl --cacert", "update-ca-certificates", "Firefox"):
            self.assertIn(words, said)
        self.assertNotIn("PRIVATE KEY", said)


class RefusingTests(MakeCATestCase):
    """What is not done."""

    def test_nothingIsWrittenOver(self) -> None:
        """Neither of the two, nor what a link leads to; and nothing is left of the other."""
        self.folder.mkdir()
        target = self.folder / "elsewhere"
        for name, other in (("ca.pem", "ca.key"), ("ca.key", "ca.pem")):
            for make in (
                lambda path: path.write_text("mine"),
                lambda path: path.symlink_to(target),
            ):
                path = self.folder / name
                make(path)
                self.assertEqual(makeca.main([str(self.folder)]), 1)
                self.assertIn(f"{path}: it is there already", self.stderr.getvalue())
                self.assertFalse((self.folder / other).exists())
                self.assertFalse(target.exists())
                if not path.is_symlink():
                    self.assertEqual(path.read_text(), "mine")
                path.unlink()
        self.assertEqual(self.stdout.getvalue(), "")

    def test_noFolder(self) -> None:
        """A file has its name."""
        self.folder.write_text("mine")
        self.assertEqual(makeca.main([str(self.folder)]), 1)
        self.assertIn(str(self.folder), self.stderr.getvalue())

    def test_theCommandLine(self) -> None:
        """What is wrong with it."""
        self.assertIn("--days must be from 1 to 730", self.refuses("--days", "731"))
        self.assertIn("--days", self.refuses("--days", "0"))
        self.assertIn("--name must have", self.refuses("--name", "x" * 65))
        self.assertIn("--name must have", self.refuses("--name", "a\nb"))
        self.assertIn("--within a b", self.refuses("--within", "a b"))
        self.assertIn("an address is not a name", self.refuses("--within", "192.0.2.1"))
        self.assertIn("an address is not a name", self.refuses("--within", "::1"))
