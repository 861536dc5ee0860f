# -*- test-case-name: tests.net.test_certificatefiles -*-
"""
The files of certificates: read once, and again when they have changed.

A file that can't be used is told of once, and what it held before goes on being used.
All of this may block, so it is for threads when the process serves; one at a time.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from .certificates import Certificate, readCertificate
from .certificatestatus import hindrance
from .pem import CertificateError, hasKey, readFile

if TYPE_CHECKING:
    import datetime as dt

    from ..settings import TLSSettings

#: What a file of certificates is called in a folder.
_SUFFIXES = (".pem", ".crt")

#: What is compared to know whether files have changed.
_Signature = tuple[tuple[int, ...], ...]


class Trouble(NamedTuple):
    """
    What is wrong with a file, or odd about it.

    @ivar key: the name of the setting that leads to it.
    @ivar path: the file or folder.
    """

    key: str
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f'"{self.path}" {self.message}; {self.remedy}'


class TroubleError(ValueError):
    """
    Certificates can't be used.

    @ivar troubles: each L{Trouble}.
    """

    def __init__(self, troubles: list[Trouble]) -> None:
        super().__init__("\n".join(map(str, troubles)))
        self.troubles = troubles


class _Unit(NamedTuple):
    """The files of one certificate."""

    path: str
    keyPath: str


class _Known(NamedTuple):
    """What was read when the files were as the signature says."""

    signature: _Signature
    certificate: Certificate | None


class CertificateFiles:
    """
    What one front's settings name.

    @ivar certificates: what there is, in the order of the files.
    """

    def __init__(self, settings: TLSSettings) -> None:
        """Nothing is read yet."""
        self._settings = settings
        self._known: dict[str, _Known] = {}
        self._said: Trouble | None = None
        self.certificates: tuple[Certificate, ...] = ()

    def look(self) -> tuple[bool, list[Trouble]]:
        """
        Read what has changed since the last time.

        @return: whether C{certificates} is another now, and what could not be read; not
            what could not be the last time.
        """
        settings = self._settings
        if settings.acme is not None and not (settings.certificate or settings.certificates):
            return False, []
        try:
            units = self._units()
        except OSError as error:
            return False, self._once(self._unreadable("certificates", error))
        troubles: list[Trouble] = []
        known: dict[str, _Known] = {}
        for unit in units:
            before = self._known.get(unit.path)
            signature = signatureOf(unit.path, unit.keyPath)
            if before is not None and before.signature == signature:
                known[unit.path] = before
                continue
            certificate = None if before is None else before.certificate
            try:
                certificate = self._read(unit)
            except TroubleError as error:
                troubles += error.troubles
            known[unit.path] = _Known(signature, certificate)
        found = tuple(each.certificate for each in known.values() if each.certificate is not None)
        if not units:
            # Perhaps it is not mounted.
            return False, self._once(
                Trouble(
                    "certificates",
                    self._settings.certificates,
                    "has no certificates in it",
                    "put files there that end in .pem, each with a certificate and its key",
                )
            )
        self._known = known
        self._said = None
        changed = found != self.certificates
        self.certificates = found
        return changed, troubles

    def _once(self, trouble: Trouble) -> list[Trouble]:
        if trouble == self._said:
            return []
        self._said = trouble
        return [trouble]

    def _unreadable(self, key: str, error: OSError, path: str = "") -> Trouble:
        path = path or getattr(self._settings, key)
        what = "folder" if key == "certificates" and path == self._settings.certificates else "file"
        return Trouble(
            key,
            path,
            f"can't be read: {error.strerror}",
            f"name a {what} that this user may read",
        )

    def _units(self) -> list[_Unit]:
        """
        Find the files.

        @raise OSError: the folder can't be listed.
        """
        settings = self._settings
        if not settings.certificates:
            return [_Unit(settings.certificate, settings.key or settings.certificate)]
        folder = settings.certificates
        names = sorted(os.listdir(folder))
        beside = set(names)
        units = []
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix not in _SUFFIXES or name.startswith("."):
                continue
            key = f"{stem}.key"
            path = os.path.join(folder, name)
            units.append(_Unit(path, os.path.join(folder, key) if key in beside else path))
        return units

    def _read(self, unit: _Unit) -> Certificate:
        """
        Read one certificate.

        @raise TroubleError: that is not possible.
        """
        inFolder = bool(self._settings.certificates)
        key = "certificates" if inFolder else "certificate"
        at, path = key, unit.path
        try:
            octets = readFile(unit.path)
            if unit.keyPath == unit.path:
                keyOctets = octets
                if not hasKey(octets):
                    raise CertificateError(
                        "has no private key in it",
                        "add it, or put it beside it in a file that ends in .key"
                        if inFolder
                        else 'add it, or name its file with key = "..."',
                    )
            else:
                at, path = (key if inFolder else "key"), unit.keyPath
                keyOctets = readFile(unit.keyPath)
                if not hasKey(keyOctets):
                    raise CertificateError(
                        "has no private key in it",
                        "name a file in PEM: -----BEGIN PRIVATE KEY-----",
                    )
            at, path = key, unit.path
            return readCertificate(octets, keyOctets, unit.path)
        except OSError as error:
            raise TroubleError([self._unreadable(at, error, path)]) from error
        except CertificateError as error:
            raise TroubleError([Trouble(at, path, error.message, error.remedy)]) from error

    def oddities(self, now: dt.datetime) -> list[Trouble]:
        """Find what works and yet should not stay as it is, of what was read."""
        found = []
        settings = self._settings
        for unit in self._units():
            known = self._known.get(unit.path)
            if known is None or known.certificate is None:
                continue
            key = "certificates" if settings.certificates else "certificate"
            odd = known.certificate.oddity(now)
            if odd is not None:
                found.append(Trouble(key, unit.path, *odd))
            odd = hindrance(known.certificate, settings.stapling)
            if odd is not None:
                found.append(Trouble(key, unit.path, *odd))
            try:
                mode = os.stat(unit.keyPath).st_mode
            except OSError:
                continue
            if mode & (stat.S_IROTH | stat.S_IWOTH):
                if not settings.certificates and unit.keyPath != unit.path:
                    key = "key"
                found.append(
                    Trouble(
                        key,
                        unit.keyPath,
                        "has a private key that every user of this host may read",
                        f"chmod o-rw {unit.keyPath}",
                    )
                )
        return found


def signatureOf(*paths: str) -> _Signature:
    """Tell what files are there, as far as that can be known without reading them."""
    found: list[tuple[int, ...]] = []
    for path in paths:
        try:
            state = os.stat(path)
        except OSError as error:
            found.append((-1, error.errno or 0))
        else:
            found.append((state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)


__all__ = [
    "CertificateFiles",
    "Trouble",
    "TroubleError",
    "signatureOf",
]
