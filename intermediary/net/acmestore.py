# -*- test-case-name: tests.net.test_acmestore -*-
"""
The folder in which what has to do with an ACME server outlives the process.

Each server has a folder in it, so that what was got from one for trials is never taken
for what another vouches for::

    SERVER/account.json        who we are for it, with the key of that
    SERVER/certificates/NAME.pem
    SERVER/challenges/         what it may ask for now
    SERVER/lock                held by the process that orders

Whoever can write there can be every one of the names, and whoever can read there as
well: files are made for their owner alone, and come into being whole, by a new name.

All of this may block.  Several processes may use one folder.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is asked for: a token (RFC 8555 §8.1) or a name, and never a path.
_KEY: Final = {
    "http-01": re.compile(r"[A-Za-z0-9_-]{16,200}"),
    "tls-alpn-01": re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*"),
}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]+")
#: More than any answer to a challenge has.
_LARGEST_ANSWER: Final = 1 << 16


class StoreError(Exception):
    """
    The folder can't be used.

    @ivar message: why.
    @ivar remedy: what to do about it.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


class Account(NamedTuple):
    """
    Who we are for a server.

    @ivar key: the private key, in PEM.
    @ivar url: the account's; empty before it was registered.
    @ivar email: what was registered.
    """

    key: bytes
    url: str = ""
    email: str = ""


class AcmeStore:
    """What is kept of one server."""

    def __init__(self, folder: str, directory: str) -> None:
        """
        Nothing is looked at or made yet.

        @param folder: that of all servers.
        @param directory: the URL of the server's directory.
        """
        self._top = folder
        server = _UNSAFE.sub("_", directory.partition("://")[2]).strip("._")
        self._folder = os.path.join(folder, server)
        self._challenges = os.path.join(self._folder, "challenges")
        self._certificates = os.path.join(self._folder, "certificates")
        self._account = os.path.join(self._folder, "account.json")

    def problem(self) -> StoreError | None:
        """Find what keeps the folder from being used; that it is not there yet does not."""
        for path in (self._top, self._folder, self._challenges, self._certificates):
            try:
                mode = os.stat(path).st_mode
            except FileNotFoundError:
                refused = _unmakeable(path)
                if refused:
                    return _refusal(OSError(refused, os.strerror(refused)), path)
                if path in (self._top, self._folder):
                    # All else is in it.
                    return None
                continue
            except OSError as error:
                return _refusal(error, path)
            if not stat.S_ISDIR(mode):
                return StoreError(f'"{path}" is no folder', "name one, or what is to become one")
            if mode & (stat.S_IWGRP | stat.S_IWOTH):
                return StoreError(
                    f'"{path}" may be written by others than its owner, who could pass for your '
                    "names",
                    f"chmod go-w {path}",
                )
        return None

    def prepare(self) -> None:
        """
        Make the folders that are not there.

        @raise StoreError: that is not possible, or they are not safe.
        """
        for path in (self._top, self._folder, self._challenges, self._certificates):
            try:
                os.mkdir(path, 0o700)
            except FileExistsError:
                continue
            except OSError as error:
                raise _refusal(error, path) from error
        problem = self.problem()
        if problem is not None:
            raise problem

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """
        Be the one who orders, if nobody else is.

        What another left unfinished is removed: nobody waits for it.

        @return: whether it is us.
        @raise StoreError: the folder can't be used.
        """
        self.prepare()
        path = os.path.join(self._folder, "lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _refusal(error, path) from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._clear()
            yield True
        finally:
            # The lock goes with it.
            os.close(descriptor)

    def _clear(self) -> None:
        for folder in (self._folder, self._certificates, self._challenges):
            try:
                names = os.listdir(folder)
            except OSError as error:
                raise _refusal(error, folder) from error
            for name in names:
                if folder == self._challenges or name.startswith("."):
                    with suppress(OSError):
                        os.unlink(os.path.join(folder, name))

    # The account

    def account(self) -> Account | None:
        """
        Read who we are.

        @return: None if we are nobody yet.
        @raise StoreError: it can't be read.
        """
        try:
            with open(self._account, "rb") as file:
                found = json.loads(file.read(_LARGEST_ANSWER))
            return Account(found["key"].encode("ascii"), found["url"], found["email"])
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(error, self._account) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f'"{self._account}" is broken', "move it away: there will be a new account"
            ) from error

    def keepAccount(self, account: Account) -> None:
        """
        Write who we are.

        @raise StoreError: that is not possible.
        """
        known = {"key": account.key.decode("ascii"), "url": account.url, "email": account.email}
        self._write(self._account, json.dumps(known, indent=1).encode("ascii") + b"\n")

    # Certificates

    def pathOf(self, name: str) -> str:
        """Tell which file the certificate of a name is in, with its chain and its key."""
        if _KEY["tls-alpn-01"].fullmatch(name) is None:
            raise ValueError(f"not a name for a file: {name!r}")
        return os.path.join(self._certificates, f"{name}.pem")

    def keepCertificate(self, name: str, octets: bytes) -> None:
        """
        Write a certificate with its chain and its key.

        @raise StoreError: that is not possible.
        """
        self._write(self.pathOf(name), octets)

    # Challenges

    @contextmanager
    def published(self, challenge: str, answers: dict[str, bytes]) -> Iterator[None]:
        """
        Have all processes answer the server for a while.

        @param challenge: its type.
        @param answers: what the server is to get, by token or by name.
        @raise StoreError: that is not possible, or it is neither.
        """
        paths = [self._answerOf(challenge, key) for key in answers]
        try:
            for path, octets in zip(paths, answers.values(), strict=True):
                self._write(path, octets)
            yield
        finally:
            for path in paths:
                with suppress(OSError):
                    os.unlink(path)

    def answer(self, challenge: str, key: str) -> bytes | None:
        """
        Find what the server is to get now.

        @param key: a token or a name, as anybody may ask for it.
        @return: None if nothing is waiting for that.
        """
        if _KEY[challenge].fullmatch(key) is None:
            return None
        try:
            with open(self._answerOf(challenge, key), "rb") as file:
                return file.read(_LARGEST_ANSWER)
        except OSError:
            return None

    def _answerOf(self, challenge: str, key: str) -> str:
        """Tell which file an answer is in."""
        if _KEY[challenge].fullmatch(key) is None:
            # A server must not choose where we write.
            raise StoreError(f"{key!r} is nothing to be asked for", "ask the authority")
        return os.path.join(self._challenges, f"{challenge}.{key}")

    # Files

    def _write(self, path: str, octets: bytes) -> None:
        """Have a file be there, whole, for its owner alone."""
        folder, name = os.path.split(path)
        fresh = ""
        try:
            # Made with 0600, whatever the umask is.
            descriptor, fresh = tempfile.mkstemp(dir=folder, prefix=f".{name[:64]}-")
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            os.rename(fresh, path)
        except OSError as error:
            if fresh:
                with suppress(OSError):
                    os.unlink(fresh)
            raise _refusal(error, path) from error

    def __repr__(self) -> str:
        return f"<AcmeStore {self._folder}>"


def _unmakeable(path: str) -> int:
    """Tell why a folder can't be made, as an error of the system; 0 if it can."""
    parent = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(parent):
        return errno.ENOENT
    mayUse = os.access(
        parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    )
    return 0 if mayUse else errno.EACCES


def _refusal(error: OSError, path: str) -> StoreError:
    """Say what the system refuses."""
    if error.errno == errno.ENOENT:
        remedy = "make the folder that it is to be in"
    elif error.errno not in (errno.EACCES, errno.EPERM):
        remedy = "mend that, or name another folder"
    else:
        user = os.geteuid()
        remedy = f"give it to the user that the proxy runs as (now {user}), or name another folder"
    return StoreError(f'"{path}" can\'t be used: {error.strerror}', remedy)


__all__ = ["Account", "AcmeStore", "StoreError"]
