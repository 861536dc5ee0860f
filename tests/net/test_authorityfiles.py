# -*- test-case-name: tests.net.test_authorityfiles -*-
"""
L{intermediary.net.authorityfiles}: what is read when, and what is kept.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from intermediary.net.authorityfiles import LARGEST_LISTS_OCTETS, AuthorityFiles
from intermediary.settings import ClientTLSSettings

from .certifying import listPEM, revoked
from .clients import GONE, HERMIT, OTHER, ROOT
from .test_certificatefiles import FolderCase

if TYPE_CHECKING:
    from intermediary.net.certificatefiles import Trouble


class AuthorityFilesTests(FolderCase):
    """C{ca} and C{crl}."""

    def files(self, ca: bytes = ROOT.pem, crl: bytes | None = None) -> AuthorityFiles:
        """Write files and name them."""
        lists = "" if crl is None else self.put("crl.pem", crl)
        return AuthorityFiles(ClientTLSSettings(ca=self.put("ca.pem", ca), crl=lists))

    def told(self, troubles: list[Trouble]) -> list[str]:
        """What is said of files, without the folder."""
        return [f"{each.key} {each.path.rpartition('/')[2]} {each.message}" for each in troubles]

    def wrong(self, files: AuthorityFiles) -> list[str]:
        """What a look finds wrong; nothing is known after it that was not before."""
        before = files.authorities
        troubles = files.look()
        self.assertIs(files.authorities, before)
        for each in troubles:
            self.assertTrue(each.remedy)
        self.assertEqual(files.look(), [])
        return self.told(troubles)

    def test_whatIsRead(self) -> None:
        """Once, until it is something else."""
        files = self.files(ROOT.pem + OTHER.pem, listPEM(revoked(ROOT), revoked(OTHER)))
        self.assertEqual(files.look(), [])
        first = files.authorities
        assert first is not None
        self.assertEqual(first.certificates, (ROOT.certificate, OTHER.certificate))
        self.assertEqual(len(first.lists), 2)
        self.put("ca.pem", ROOT.pem + OTHER.pem)
        self.assertEqual(files.look(), [])
        self.assertIs(files.authorities, first)
        self.put("ca.pem", ROOT.pem)
        self.assertEqual(files.look(), [])
        self.assertIsNot(files.authorities, first)

    def test_withoutLists(self) -> None:
        """Nothing is asked of them."""
        files = self.files()
        self.assertEqual(files.look(), [])
        assert files.authorities is not None
        self.assertEqual(files.authorities.lists, ())
        self.assertEqual(files.oddities(dt.datetime.now(dt.UTC)), [])

    def test_bothAreSaidAtOnce(self) -> None:
        """Each mistake by its key."""
        self.assertEqual(
            self.wrong(self.files(b"hello", b"hello")),
            [
                "clients.ca ca.pem has no certificate in it",
                "clients.crl crl.pem has no list of what was revoked in it",
            ],
        )
        der = revoked(ROOT).public_bytes(Encoding.DER)
        self.assertEqual(
            self.wrong(self.files(crl=der)),
            ["clients.crl crl.pem has no list of what was revoked in it"],
        )
        broken = listPEM(revoked(ROOT)).replace(b"\nM", b"\nA", 1)
        (problem,) = self.wrong(self.files(crl=broken))
        self.assertIn("has a list that can't be read", problem)
        nowhere = AuthorityFiles(ClientTLSSettings(ca=str(self.folder / "none.pem")))
        self.assertEqual(
            self.wrong(nowhere), ["clients.ca none.pem can't be read: No such file or directory"]
        )
        self.assertIn("is larger than 1 MiB", self.wrong(self.files(b" " * (2 << 20)))[0])
        huge = b" " * (LARGEST_LISTS_OCTETS + 1)
        self.assertIn("is larger than 16 MiB", self.wrong(self.files(crl=huge))[0])

    def test_whatDoesNotFitTogether(self) -> None:
        """A list that another has signed, and more names than there is room for."""
        forged = listPEM(revoked(ROOT, signer=OTHER))
        (problem,) = self.wrong(self.files(crl=forged))
        self.assertIn("clients.crl crl.pem has a list of", problem)
        self.assertIn("that somebody else has signed", problem)
        self.assertEqual(
            self.wrong(self.files(ROOT.pem * 1500)),
            ["clients.ca ca.pem names more authorities than a handshake has room for"],
        )

    def test_aBadOneIsNotUsed(self) -> None:
        """Nor is a good one beside it, before both are."""
        files = self.files(crl=listPEM(revoked(ROOT)))
        self.assertEqual(files.look(), [])
        self.put("crl.pem", b"half of it")
        self.put("ca.pem", ROOT.pem + OTHER.pem)
        self.assertEqual(
            self.wrong(files), ["clients.crl crl.pem has no list of what was revoked in it"]
        )
        self.put("crl.pem", listPEM(revoked(ROOT), revoked(OTHER)))
        self.assertEqual(files.look(), [])
        assert files.authorities is not None
        self.assertEqual(len(files.authorities.certificates), 2)

    def test_theEndOfAList(self) -> None:
        """Each is told of once."""
        now = dt.datetime.now(dt.UTC)
        files = self.files(crl=listPEM(revoked(ROOT, days=-1)))
        self.assertEqual(files.lapses(now), [])
        files.look()
        (problem,) = self.told(files.lapses(now))
        self.assertIn("has a list of O=Tests\\, Inc.,CN=clients.example that has expired", problem)
        self.assertEqual(files.lapses(now), [])
        self.put("crl.pem", listPEM(revoked(ROOT, days=1)))
        files.look()
        self.assertEqual(files.lapses(now), [])
        self.assertEqual(len(files.lapses(now + dt.timedelta(days=2))), 1)

    def test_oddities(self) -> None:
        """What keeps clients out that are meant to get in."""
        now = dt.datetime.now(dt.UTC)
        files = self.files(
            GONE.pem + ROOT.pem + OTHER.pem + HERMIT.pem,
            listPEM(revoked(GONE), revoked(ROOT, days=-1)),
        )
        self.assertEqual(files.oddities(now), [])
        self.assertEqual(files.look(), [])
        found = self.told(files.oddities(now))
        self.assertEqual(len(found), 3)
        self.assertIn("a certificate of O=Tests\\, Inc.,CN=gone.example that has ex", found[0])
        self.assertIn("no list of O=Tests\\, Inc.,CN=others.example", found[1])
        self.assertIn("list of O=Tests\\, Inc.,CN=clients.example that has expired", found[2])
