# -*- test-case-name: tests.net.test_automatic -*-
"""
Certificates that a front gets by itself: what is stored, and what stands in for it.

It is what L{ServerTLS<intermediary.net.servertls.ServerTLS>} knows of ACME: which
certificates there are now, and what an authority is shown that looks whether a name
leads here (tls-alpn-01, RFC 8737).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.logger import Logger

from .acmekeys import makeKey, placeholder
from .acmeorders import Orders
from .acmestore import AcmeStore
from .certificatefiles import Trouble, TroubleError, signatureOf
from .certificates import Certificate, readCertificate
from .pem import CertificateError, readFile
from .renewals import Renewals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..settings import AcmeSettings

#: What does not change as long as a file is not there.
_ABSENT = signatureOf("")


class Automatic:
    """
    Those of one front.

    @ivar certificates: what is there, one for each name; a placeholder, which clients
        refuse, for all that have none.
    """

    _log = Logger()

    def __init__(self, reactor: Any, settings: AcmeSettings, front: str) -> None:
        """
        Nothing is read yet.

        @param reactor: for L{Renewals}.
        @param front: its name, for the log.
        @raise TroubleError: the storage is not safe, nobody agrees to the terms, or there
            are no names.
        """
        self.settings = settings
        self._front = front
        self.store = AcmeStore(settings.storage, settings.directory)
        problem = self.store.problem()
        if problem is not None:
            where = settings.storage
            raise TroubleError([Trouble("acme.storage", where, problem.message, problem.remedy)])
        if not settings.termsAgreed:
            message, remedy = "has terms of service", "read them, and agree: terms-agreed = true"
            raise TroubleError([Trouble("acme.terms-agreed", settings.directory, message, remedy)])
        if not settings.names:
            message, remedy = "is asked for nothing", "name what to get certificates for"
            raise TroubleError([Trouble("acme.names", settings.directory, message, remedy)])
        self._orders = Orders(settings, self.store)
        self._renewals = Renewals(reactor, front, self._orders, self._obtained)
        self._reload: Callable[[], Any] | None = None
        #: What was read, by name, and when the file was as that says.
        self._known: dict[str, tuple[Any, Certificate | None]] = {}
        self._stored: dict[str, Certificate] = {}
        self._standIn: Certificate | None = None
        #: What was told of already: names, and what an authority was shown last.
        self._told: set[str] = set()
        self._shown = b""
        #: Those that no file has a certificate for.
        self.names: tuple[str, ...] = ()
        self.certificates: tuple[Certificate, ...] = ()

    def start(self, reload: Callable[[], Any]) -> None:
        """
        Order what is not there, from now on.

        @param reload: has L{look} called, and then L{use}.
        """
        self._reload = reload
        self._renewals.start()

    def stop(self) -> None:
        """Order nothing more."""
        self._renewals.stop()

    def hurry(self) -> None:
        """Try what has failed again now, whatever it should wait for."""
        self._renewals.hurry()

    def _obtained(self) -> None:
        if self._reload is not None:
            self._reload()

    # Files

    def look(self, files: Iterable[Certificate]) -> bool:
        """
        Read what has changed; may block.

        What can't be read is told of in the log, and what there was is used on.

        @param files: what others have put there, which is used for its names instead.
        @return: whether C{certificates} is another now.
        """
        held = {name for each in files for name in each.names}
        self.names = tuple(
            each
            for each in self.settings.names
            if each not in held and f"*.{each.partition('.')[2]}" not in held
        )
        stored = {}
        for name in self.names:
            found = self._read(name)
            if found is not None:
                stored[name] = found
        self._stored = stored
        missing = [name for name in self.names if name not in stored]
        if missing:
            if self._standIn is None or self._standIn.names != tuple(missing):
                self._standIn = self._placeholder(missing)
        else:
            self._standIn = None
        certificates = tuple(stored.values())
        if self._standIn is not None:
            certificates = (*certificates, self._standIn)
        changed = certificates != self.certificates
        self.certificates = certificates
        return changed

    def _read(self, name: str) -> Certificate | None:
        """Read the certificate of a name, if it is not what it was."""
        path = self.store.pathOf(name)
        before, known = self._known.get(name, (_ABSENT, None))
        signature = signatureOf(path)
        if signature == before:
            return known
        found = known
        try:
            octets = readFile(path)
            fresh = readCertificate(octets, octets, path)
            if name not in fresh.names:
                raise CertificateError(f"is not for {name}", "remove it")
            found = fresh
        except FileNotFoundError:
            pass
        except (OSError, CertificateError) as error:
            self._log.warn(
                "{front}: {path} can't be used: {reason}",
                front=self._front,
                path=path,
                reason=str(error),
            )
        self._known[name] = (signature, found)
        return found

    def _placeholder(self, names: list[str]) -> Certificate:
        key = makeKey(self.settings.key)
        made = placeholder(names, key, dt.datetime.now(dt.UTC))
        return Certificate(made, (), key, "a placeholder")

    def use(self) -> None:
        """What was found is used: order what there is not, when it is due."""
        missing = set() if self._standIn is None else set(self._standIn.names)
        if not missing <= self._told:
            self._log.warn(
                "{front}: there is no certificate yet for {names}: until there is, clients get one "
                "that they refuse",
                front=self._front,
                names=" ".join(sorted(missing)),
            )
        self._told = missing
        self._renewals.use(self._stored, self.names)

    # Challenges

    def answers(self, connection: Any) -> bool:
        """
        Show an authority what it looks for, if it looks for something (RFC 8737 §3).

        @param connection: an C{OpenSSL.SSL.Connection}, whose client offers
            C{acme-tls/1} and nothing else; called from a callback of OpenSSL.
        @return: whether it does.
        """
        name = connection.get_servername()
        if not name:
            return False
        octets = self.store.answer("tls-alpn-01", name.decode("ascii", "replace").lower())
        if octets is None:
            return False
        try:
            shown = readCertificate(octets, octets, "")
            # Not another context: with TLS 1.2, OpenSSL has chosen by now, and would go on
            # with what is gone.
            connection.use_certificate(shown.leaf)
            connection.use_privatekey(shown.key)
            # It has none, where clients have to show one; nothing is said after this.
            connection.set_verify(SSL.VERIFY_NONE)
        except (CertificateError, SSL.Error):
            return False
        if octets != self._shown:
            # It looks from several places.
            self._shown = octets
            self._log.info(
                "{front}: the authority looks whether {name} leads here",
                front=self._front,
                name=shown.names[0],
            )
        return True

    def __repr__(self) -> str:
        return f"<Automatic {self._front} names={len(self.names)}>"


__all__ = ["Automatic"]
