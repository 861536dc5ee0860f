# -*- test-case-name: tests.net.test_acmestore -*-
"""
L{intermediary.net.acmestore}: files for their owner alone, and one who orders.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.acmestore import Account, AcmeStore, StoreError

DIRECTORY = "https://acme.example:14000/dir/v2"
TOKEN = "DGyRejmCefe7v4NfDGDKfA"


class StoreCase(SynchronousTestCase):
    """Has a folder in which there is none yet."""

    def setUp(self) -> None:
        self.top = Path(self.mktemp()) / "acme"
        self.top.parent.mkdir()
        self.store = AcmeStore(str(self.top), DIRECTORY)
        self.folder = self.top / "acme.example_14000_dir_v2"

    def modes(self) -> dict[str, int]:
        """How what is there may be used, by whom."""
        return {
            str(path.relative_to(self.top)): stat.S_IMODE(path.stat().st_mode)
            for path in self.top.rglob("*")
        }


class FolderTests(StoreCase):
    """What is made, and what is refused."""

    def test_nothingIsMadeByLooking(self) -> None:
        """So that C{--check} changes nothing."""
        self.assertIsNone(self.store.problem())
        self.assertIsNone(self.store.account())
        self.assertIsNone(self.store.answer("http-01", TOKEN))
        self.assertFalse(self.top.exists())
        self.assertEqual(repr(self.store), f"<AcmeStore {self.folder}>")

    def test_allIsForTheOwnerAlone(self) -> None:
        """Whatever the umask is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        with self.store.locked():
            self.store.keepAccount(Account(b"key"))
            self.store.keepCertificate("a.example", b"pem")
            with self.store.published("http-01", {TOKEN: b"answer"}):
                modes = self.modes()
        self.assertEqual(stat.S_IMODE(self.top.stat().st_mode), 0o700)
        name = self.folder.name
        self.assertEqual(
            modes,
            {
                name: 0o700,
                f"{name}/lock": 0o600,
                f"{name}/account.json": 0o600,
                f"{name}/certificates": 0o700,
                f"{name}/certificates/a.example.pem": 0o600,
                f"{name}/challenges": 0o700,
                f"{name}/challenges/http-01.{TOKEN}": 0o600,
            },
        )

    def test_whereOthersWriteIsRefused(self) -> None:
        """They could pass for the names; with what to do about it."""
        self.store.prepare()
        for path in (self.top, self.folder, self.folder / "certificates"):
            for mode in (0o720, 0o702):
                path.chmod(mode)
                problem = self.store.problem()
                assert problem is not None
                self.assertIn("may be written by others", problem.message)
                self.assertEqual(problem.remedy, f"chmod go-w {path}")
                with self.assertRaises(StoreError):
                    self.store.prepare()
            path.chmod(0o755)
        self.assertIsNone(self.store.problem())

    def test_whatIsNoFolderIsRefused(self) -> None:
        """Or can't become one."""
        self.top.write_bytes(b"")
        problem = self.store.problem()
        assert problem is not None
        self.assertIn("is no folder", str(problem))
        elsewhere = AcmeStore(str(self.top.parent / "none" / "acme"), DIRECTORY)
        problem = elsewhere.problem()
        with self.assertRaises(StoreError) as caught:
            elsewhere.prepare()
        self.assertEqual(str(problem), str(caught.exception))
        self.assertIn("No such file or directory", caught.exception.message)
        self.assertIn("make the folder", caught.exception.remedy)

    def test_whatCantBeMadeIsRefused(self) -> None:
        """Before anybody orders, and nothing is made by looking."""
        asked = []

        def refuse(path: str, mode: int, **options: bool) -> bool:
            asked.append(path)
            return False

        store = AcmeStore(f"{self.top}/", DIRECTORY)
        self.assertIsNone(store.problem())
        self.patch(os, "access", refuse)
        problem = store.problem()
        assert problem is not None
        self.assertIn("can't be used: Permission denied", problem.message)
        self.assertIn("runs as", problem.remedy)
        self.top.mkdir(0o700)
        self.assertIsNotNone(store.problem())
        self.assertEqual(asked, [str(self.top.absolute().parent), str(self.top.absolute())])
        store.prepare()
        self.assertIsNone(store.problem())

    def test_serversAreKeptApart(self) -> None:
        """What one vouches for is not taken for what another does."""
        other = AcmeStore(str(self.top), "https://acme-staging.example/directory")
        with self.store.locked(), other.locked() as ours:
            self.assertTrue(ours)
            self.store.keepAccount(Account(b"key"))
            self.store.keepCertificate("a.example", b"pem")
        self.assertIsNone(other.account())
        self.assertFalse(Path(other.pathOf("a.example")).exists())

    def test_whoMayNot(self) -> None:
        """Is told who it is, as that depends on when it is."""

        def refuse(path: str, mode: int = 0) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        self.store.prepare()
        self.patch(os, "listdir", refuse)
        with self.assertRaises(StoreError), self.store.locked():
            self.fail("locked")
        self.patch(os, "mkdir", refuse)
        with self.assertRaises(StoreError) as caught:
            self.store.prepare()
        self.assertEqual(
            caught.exception.message, f'"{self.top}" can\'t be used: Permission denied'
        )
        self.assertIn(f"runs as (now {os.geteuid()})", caught.exception.remedy)
        self.patch(os, "stat", refuse)
        self.assertEqual(str(self.store.problem()), str(caught.exception))


class LockTests(StoreCase):
    """One process orders."""

    def test_oneAtATime(self) -> None:
        """Also for two of one process; and again when it is over."""
        other = AcmeStore(str(self.top), DIRECTORY)
        with self.store.locked() as ours:
            self.assertTrue(ours)
            with other.locked() as theirs:
                self.assertFalse(theirs)
        with other.locked() as theirs:
            self.assertTrue(theirs)

    def test_itEndsHoweverItEnds(self) -> None:
        """An exception releases it."""
        with self.assertRaises(KeyError), self.store.locked():
            raise KeyError
        with self.store.locked() as ours:
            self.assertTrue(ours)

    def test_whatWasLeftIsRemoved(self) -> None:
        """By a process that came to a sudden end: answers, and what it was writing."""
        self.store.prepare()
        (self.folder / "challenges" / f"http-01.{TOKEN}").write_bytes(b"old")
        (self.folder / "certificates" / ".a.example.pem-x").write_bytes(b"half")
        (self.folder / ".account.json-x").write_bytes(b"half")
        (self.folder / "certificates" / "a.example.pem").write_bytes(b"whole")
        with self.store.locked():
            pass
        self.assertEqual(
            {path.name for path in self.folder.rglob("*") if path.is_file()},
            {"lock", "a.example.pem"},
        )


class AccountTests(StoreCase):
    """Who we are."""

    def test_itIsKept(self) -> None:
        """Whole."""
        self.store.prepare()
        account = Account(b"-----BEGIN\nPRIVATE KEY", "https://acme.example/1", "a@example.org")
        self.store.keepAccount(account)
        self.assertEqual(self.store.account(), account)

    def test_aBrokenOneIsTold(self) -> None:
        """And not overwritten: it may be worth something."""
        self.store.prepare()
        path = self.folder / "account.json"
        for octets in (b"", b"{", b"[]", b'{"key": 1}', b'{"key": "a", "url": ""}', b"\xff"):
            path.write_bytes(octets)
            with self.assertRaises(StoreError) as caught:
                self.store.account()
            self.assertIn("is broken; move it away", str(caught.exception))
            self.assertEqual(path.read_bytes(), octets)

    def test_whatCantBeReadOrWrittenIsTold(self) -> None:
        """And nothing half done is left."""
        self.store.prepare()
        (self.folder / "account.json").mkdir()
        for attempt in (self.store.account, lambda: self.store.keepAccount(Account(b""))):
            with self.assertRaises(StoreError) as caught:
                attempt()
            self.assertIn("Is a directory", caught.exception.message)
            self.assertEqual(caught.exception.remedy, "mend that, or name another folder")
        self.assertEqual(
            sorted(os.listdir(self.folder)), ["account.json", "certificates", "challenges"]
        )


class NameTests(StoreCase):
    """Names of files that others choose."""

    def test_certificates(self) -> None:
        """Names are no paths."""
        for name in ("", "..", "a/b", "A.example", "*.example", ".a", "a..b", "a.example\n"):
            with self.assertRaises(ValueError):
                self.store.pathOf(name)
        self.assertTrue(self.store.pathOf("xn--a_b-1.example").endswith("/xn--a_b-1.example.pem"))

    def test_aServerDoesNotChooseWhereWeWrite(self) -> None:
        """By what it calls a token or a name."""
        self.store.prepare()
        for challenge, key in (
            ("http-01", "../../account.json"),
            ("http-01", "short"),
            ("http-01", "a" * 201),
            ("tls-alpn-01", "../lock"),
            ("tls-alpn-01", "A.example"),
        ):
            with self.assertRaises(StoreError), self.store.published(challenge, {key: b"x"}):
                self.fail("published")
            self.assertIsNone(self.store.answer(challenge, key))
        self.assertEqual(os.listdir(self.folder / "challenges"), [])


class AnswerTests(StoreCase):
    """What the server may ask for now."""

    def test_whileItIsPublished(self) -> None:
        """By all processes, and for its challenge alone."""
        self.store.prepare()
        other = AcmeStore(str(self.top), DIRECTORY)
        long = "a-name-that-is-also-a-token"
        with self.store.published("tls-alpn-01", {long: b"pem", "a.example": b"other"}):
            self.assertEqual(other.answer("tls-alpn-01", long), b"pem")
            self.assertEqual(other.answer("tls-alpn-01", "a.example"), b"other")
            # There is a private key in it.
            self.assertIsNone(other.answer("http-01", long))
            self.assertIsNone(other.answer("tls-alpn-01", "b.example"))
        self.assertIsNone(other.answer("tls-alpn-01", long))
        self.assertEqual(os.listdir(self.folder / "challenges"), [])

    def test_noneIsLeftIfOneCantBeWritten(self) -> None:
        """Or if what happens meanwhile fails."""
        self.store.prepare()
        (self.folder / "challenges" / "tls-alpn-01.b.example").mkdir()
        both = {"a.example": b"1", "b.example": b"2"}
        with self.assertRaises(StoreError), self.store.published("tls-alpn-01", both):
            self.fail("published")
        self.assertIsNone(self.store.answer("tls-alpn-01", "a.example"))
        with self.assertRaises(KeyError), self.store.published("http-01", {TOKEN: b""}):
            raise KeyError
        self.assertIsNone(self.store.answer("http-01", TOKEN))
