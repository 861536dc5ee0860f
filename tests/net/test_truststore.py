# -*- test-case-name: tests.net.test_truststore -*-
"""
Tests of L{intermediary.net.truststore}.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from intermediary.net.truststore import trustedFiles


class TrustTests(SynchronousTestCase):
    """Where the authorities are."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "all.pem"
        self.file.write_bytes(b"x")
        self.knows(None, None)
        self.has(None)

    def knows(self, file: str | None, folder: str | None) -> None:
        """Python knows of these."""
        known: Any = SimpleNamespace(cafile=file, capath=folder)
        self.patch(ssl, "get_default_verify_paths", lambda: known)

    def has(self, path: str | None) -> None:
        """C{certifi} is installed, or not."""
        module: Any = None
        if path is not None:
            module = ModuleType("certifi")
            module.where = lambda: path
        if "certifi" in sys.modules:
            self.addCleanup(sys.modules.__setitem__, "certifi", sys.modules["certifi"])
        else:
            self.addCleanup(sys.modules.pop, "certifi", None)
        sys.modules["certifi"] = module

    def test_theEnvironmentCounts(self) -> None:
        """As for every program with OpenSSL, and even if nothing is there."""
        files = [str(self.file)]
        for environment, expected in (
            ({"SSL_CERT_FILE": "/nowhere"}, ("/nowhere", None)),
            ({"SSL_CERT_DIR": "/d"}, (None, "/d")),
            ({"SSL_CERT_FILE": "/f", "SSL_CERT_DIR": "/d"}, ("/f", "/d")),
            ({"SSL_CERT_FILE": ""}, (str(self.file), None)),
        ):
            self.assertEqual(trustedFiles(environment, files), expected)

    def test_theSystemsFile(self) -> None:
        """What Python knows of first, then where systems have it."""
        other = self.folder / "other.pem"
        other.write_bytes(b"y")
        files = ["/nowhere/at/all", str(self.file)]
        self.assertEqual(trustedFiles({}, files), (str(self.file), None))
        self.knows(str(other), str(self.folder))
        self.assertEqual(trustedFiles({}, files), (str(other), None))

    def test_theSystemsFolder(self) -> None:
        """Where there is no file; an empty folder is none."""
        empty = self.folder / "empty"
        empty.mkdir()
        for folder, expected in (
            (str(self.folder), (None, str(self.folder))),
            (str(empty), (None, None)),
            ("/nowhere/at/all", (None, None)),
        ):
            self.knows(None, folder)
            self.assertEqual(trustedFiles({}, []), expected)

    def test_certifiIsTheLastResort(self) -> None:
        """Where a system has none."""
        self.has("/certifi/cacert.pem")
        self.assertEqual(trustedFiles({}, []), ("/certifi/cacert.pem", None))
        self.assertEqual(trustedFiles({}, [str(self.file)]), (str(self.file), None))

    def test_nothingAtAll(self) -> None:
        """Then nobody is trusted."""
        self.assertEqual(trustedFiles({}, []), (None, None))
