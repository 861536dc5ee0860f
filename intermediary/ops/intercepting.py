# -*- test-case-name: tests.ops.test_intercepting -*-
"""
Settings to interception: the authority, what is taken, and who serves what is inside.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from ..front import Front
from ..net.certificatefiles import Trouble, TroubleError
from ..net.interception import Interception
from ..net.minting import Authority, Mint
from ..net.pem import CertificateError, hasKey, readCertificates, readFile, readKey
from ..policy.decryption import Decrypted, DecryptedReplies
from ..policy.interceptable import Interceptable

if TYPE_CHECKING:
    import datetime as dt

    from ..exchange import Exchange
    from ..net.sweep import Sweeper
    from ..settings import InterceptSettings

_CA = "name the certificate of your authority, or make one: intermediary-make-ca FOLDER"
_KEY = 'name the file of its key, as in key = "ca.key"'


def readAuthority(settings: InterceptSettings) -> Authority:
    """
    Read the authority.

    @raise TroubleError: it can't be used.
    """
    paths = {"ca": settings.ca, "key": settings.key or settings.ca}
    octets: dict[str, bytes] = {}
    for name, path in paths.items():
        try:
            octets[name] = readFile(path)
        except OSError as error:
            message = f"can't be read: {error.strerror}"
            raise TroubleError(
                [Trouble(name, path, message, _CA if name == "ca" else _KEY)]
            ) from error
        except CertificateError as error:
            raise TroubleError([Trouble(name, path, error.message, error.remedy)]) from error
    name = "key" if settings.key else "ca"
    if not hasKey(octets["key"]):
        raise TroubleError([Trouble(name, paths[name], "has no private key in it", _KEY)])
    try:
        key = readKey(octets["key"])
        name = "ca"
        certificate, *chain = readCertificates(octets["ca"])
        return Authority(certificate, key, chain)
    except CertificateError as error:
        raise TroubleError([Trouble(name, paths[name], error.message, error.remedy)]) from error


def oddities(settings: InterceptSettings, authority: Authority, now: dt.datetime) -> list[Trouble]:
    """Find what works and yet should not stay as it is."""
    found = []
    odd = authority.oddity(now)
    if odd is not None:
        found.append(Trouble("ca", settings.ca, *odd))
    beyond = [
        each
        for each in settings.only
        if "/" not in each and not authority.vouchesFor(each.removeprefix("*.").removesuffix("."))
    ]
    if beyond:
        found.append(
            Trouble(
                "only",
                settings.ca,
                f"the authority may not vouch for all of {' '.join(beyond)}: what it may not, is "
                "tunnelled unseen",
                "make one that may (intermediary-make-ca --within), or remove what it may not",
            )
        )
    path = settings.key or settings.ca
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return found
    if mode & (stat.S_IRWXG | stat.S_IRWXO) & ~(stat.S_IXGRP | stat.S_IXOTH):
        found.append(
            Trouble(
                "key" if settings.key else "ca",
                path,
                "is the key of an authority, and others than its owner may read it: they can pass "
                "for every server there is",
                f"chmod 600 {path}",
            )
        )
    return found


def makeInterception(
    name: str, settings: InterceptSettings, sweeper: Sweeper, reactor: Any
) -> Interception:
    """
    Make the interception of a front.

    @param name: the front's.
    @raise ValueError: a pattern is misspelt, or the authority can't be used:
        L{TroubleError}.
    """
    authority = readAuthority(settings)
    takes = Interceptable(settings.ports, settings.excepted, settings.only, authority.vouchesFor)
    return Interception(
        name,
        takes,
        Mint(authority),
        inside,
        takes.excepts,
        settings.handshakeSeconds,
        settings.handshakes,
        sweeper,
        reactor,
    )


def inside(exchange: Exchange) -> Front:
    """
    Make the front of what is in the connection of an exchange, of the exchange's own.

    @param exchange: a C{CONNECT}.
    """
    outside = exchange.front
    assert exchange.origin is not None
    return Front(
        outside.name,
        outside.limits,
        outside.timeouts,
        outside.engine,
        Decrypted(outside.route, exchange.origin, exchange.user),
        DecryptedReplies(outside.answer),
        outside.refusal,
        outside.keepsOld,
        intercepted=True,
        withheld=outside.withheld,
    )


__all__ = ["inside", "makeInterception", "oddities", "readAuthority"]
