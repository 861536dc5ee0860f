# -*- test-case-name: tests.net.test_certificatefiles -*-
"""
L{intermediary.net.certificatefiles}: what is read when, and what is kept.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.certificatefiles import CertificateFiles
from intermediary.settings import TLSSettings

from .certifying import made

A = made("a.example")
B = made("b.example", number=1)
AGAIN = made("a.example", days=80, number=2)


class FolderCase(SynchronousTestCase):
    """Has a folder."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def put(self, name: str, octets: bytes) -> str:
        """Replace a file, as whoever renews certificates does."""
        fresh = self.folder / ".fresh"
        fresh.write_bytes(octets)
        fresh.chmod(0o600)
        fresh.rename(self.folder / name)
        return str(self.folder / name)

    def leaves(self, files: CertificateFiles) -> list[object]:
        """What there is."""
        return [each.leaf for each in files.certificates]


class PairTests(FolderCase):
    """C{certificate} and C{key}."""

    def pair(self, certificate: bytes, key: bytes | None) -> CertificateFiles:
        """Write files and name them."""
        path = self.put("site.pem", certificate)
        keyPath = "" if key is None else self.put("site.key", key)
        return CertificateFiles(TLSSettings(certificate=path, key=keyPath))

    def test_twoFilesOrOne(self) -> None:
        """The key is in its own file or behind the certificate."""
        for files in (self.pair(A.pem, A.key), self.pair(A.both, None)):
            self.assertEqual(files.look(), (True, []))
            self.assertEqual(self.leaves(files), [A.certificate])
            self.assertEqual(files.look(), (False, []))
            self.assertEqual(files.oddities(dt.datetime.now(dt.UTC)), [])

    def told(self, files: CertificateFiles) -> str:
        """What is wrong, which is one thing."""
        changed, (trouble,) = files.look()
        self.assertFalse(changed)
        name = os.path.basename(trouble.path)
        return f"{trouble.key} {name}: {trouble.message}"

    def test_eachMistakeIsThatOfItsKey(self) -> None:
        """So that the line in the file is the right one."""
        self.assertEqual(self.told(self.pair(A.pem, b"")), "key site.key: has no private key in it")
        self.assertEqual(
            self.told(self.pair(A.pem, None)), "certificate site.pem: has no private key in it"
        )
        self.assertEqual(
            self.told(self.pair(A.pem, B.key)), "certificate site.pem: is not for this key"
        )
        settings = TLSSettings(certificate=self.put("x.pem", A.pem), key="/nowhere/x.key")
        self.assertEqual(
            self.told(CertificateFiles(settings)),
            "key x.key: can't be read: No such file or directory",
        )
        self.assertEqual(
            self.told(CertificateFiles(TLSSettings(certificate="/nowhere/x.pem"))),
            "certificate x.pem: can't be read: No such file or directory",
        )
        self.assertEqual(
            self.told(self.pair(b"x" * (1 << 21), A.key)),
            "certificate site.pem: is larger than 1 MiB",
        )

    @skipIf(os.geteuid() == 0, "root may read all")
    def test_whatMayNotBeRead(self) -> None:
        """The user that the process runs as has to be allowed to."""
        files = self.pair(A.pem, A.key)
        os.chmod(self.folder / "site.key", 0)
        self.assertEqual(self.told(files), "key site.key: can't be read: Permission denied")

    def test_aKeyForEverybodyIsOdd(self) -> None:
        """It is used, and said."""
        files = self.pair(A.pem, A.key)
        os.chmod(self.folder / "site.key", 0o644)
        self.assertEqual(files.look(), (True, []))
        (odd,) = files.oddities(dt.datetime.now(dt.UTC))
        self.assertEqual(odd.key, "key")
        self.assertIn("every user of this host may read", odd.message)
        self.assertIn("chmod o-rw", str(odd))

    def test_anExpiredCertificateIsOdd(self) -> None:
        """Clients refuse it, but that is theirs to do."""
        old = made("a.example", days=-2)
        files = self.pair(old.pem, old.key)
        self.assertEqual(files.look(), (True, []))
        (odd,) = files.oddities(dt.datetime.now(dt.UTC))
        self.assertEqual(odd.key, "certificate")
        self.assertIn("expired on", odd.message)

    def test_whatIsRenewedIsReadAgain(self) -> None:
        """Once, when both files are there; in between, the old one is kept."""
        files = self.pair(A.pem, A.key)
        files.look()
        self.put("site.pem", AGAIN.pem)
        self.assertEqual(self.told(files), "certificate site.pem: is not for this key")
        self.assertEqual(files.look(), (False, []))
        self.assertEqual(self.leaves(files), [A.certificate])
        self.put("site.key", AGAIN.key)
        self.assertEqual(files.look(), (True, []))
        self.assertEqual(self.leaves(files), [AGAIN.certificate])

    def test_whatIsRemovedIsKept(self) -> None:
        """A certificate that was configured does not go because its file does."""
        files = self.pair(A.pem, A.key)
        files.look()
        (self.folder / "site.pem").unlink()
        self.assertEqual(
            self.told(files), "certificate site.pem: can't be read: No such file or directory"
        )
        self.assertEqual(files.look(), (False, []))
        self.assertEqual(self.leaves(files), [A.certificate])


class FolderTests(FolderCase):
    """C{certificates}."""

    def setUp(self) -> None:
        super().setUp()
        self.files = CertificateFiles(TLSSettings(certificates=str(self.folder)))

    def test_filesWithKeysOrBesideThem(self) -> None:
        """In the order of their names; what ends otherwise is nobody's."""
        self.put("b.pem", B.both)
        self.put("a.crt", A.pem)
        self.put("a.key", A.key)
        self.put("README", b"hello")
        self.put(".hidden.pem", b"hello")
        self.assertEqual(self.files.look(), (True, []))
        self.assertEqual(self.leaves(self.files), [A.certificate, B.certificate])

    def test_oneIsAddedChangedAndRemoved(self) -> None:
        """The others stay what they were, the very same."""
        self.put("a.pem", A.both)
        self.files.look()
        (first,) = self.files.certificates
        self.put("b.pem", B.both)
        self.assertEqual(self.files.look(), (True, []))
        self.assertIs(self.files.certificates[0], first)
        self.put("b.pem", AGAIN.both)
        self.assertEqual(self.files.look(), (True, []))
        self.assertEqual(self.leaves(self.files), [A.certificate, AGAIN.certificate])
        (self.folder / "b.pem").unlink()
        self.assertEqual(self.files.look(), (True, []))
        self.assertEqual(self.files.certificates, (first,))

    def told(self) -> list[str]:
        """What is wrong."""
        return [f"{each.key}: {each.message}" for each in self.files.look()[1]]

    def test_aBadFileIsToldOfOnce(self) -> None:
        """And the old one kept until there is a better one."""
        self.put("a.pem", A.both)
        self.put("b.pem", B.both)
        self.files.look()
        self.put("b.pem", b"truncated")
        self.assertEqual(self.told(), ["certificates: has no private key in it"])
        self.assertEqual(self.told(), [])
        self.assertEqual(self.leaves(self.files), [A.certificate, B.certificate])
        self.put("b.pem", B.both)
        self.assertEqual(self.files.look()[1], [])
        self.assertEqual(self.leaves(self.files), [A.certificate, B.certificate])

    def test_aNewFileThatIsBadIsNothing(self) -> None:
        """The others are there."""
        self.put("a.pem", A.both)
        self.put("c.pem", b"not yet")
        self.assertEqual(self.told(), ["certificates: has no private key in it"])
        self.assertEqual(self.leaves(self.files), [A.certificate])

    def test_anEmptyFolderChangesNothing(self) -> None:
        """It may not be mounted."""
        self.assertEqual(self.told(), ["certificates: has no certificates in it"])
        self.put("a.pem", A.both)
        self.files.look()
        (self.folder / "a.pem").unlink()
        self.assertEqual(self.told(), ["certificates: has no certificates in it"])
        self.assertEqual(self.told(), [])
        self.folder.rmdir()
        self.assertEqual(self.told(), ["certificates: can't be read: No such file or directory"])
        self.assertEqual(self.told(), [])
        self.assertEqual(self.leaves(self.files), [A.certificate])
        self.folder.mkdir()
        self.put("a.pem", AGAIN.both)
        self.assertEqual(self.files.look(), (True, []))
