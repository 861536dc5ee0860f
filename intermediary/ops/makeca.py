# -*- test-case-name: tests.ops.test_makeca -*-
"""
C{intermediary-make-ca}: make the authority that a forward front intercepts TLS with.

It writes a certificate and its key into a folder, never over anything, and says how to
have them trusted, and what that means.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import socket
import sys
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .values import Unfit, hostPattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DESCRIPTION = (
    "Make an authority of your own, for a forward proxy that intercepts TLS. Read "
    "docs/interception.md before you use it."
)
_EPILOG = (
    "Writes ca.pem and ca.key into FOLDER, which is made if need be, and never over what is there. "
    "Exit code: 0 it was made, 1 it could not be, 2 the command line is wrong."
)

CERTIFICATE = "ca.pem"
KEY = "ca.key"
#: How long it lasts unless said otherwise, and at most.
DAYS = 365
MOST_DAYS = 730
#: How long before it is made it begins: clocks of clients are not all right.
BACKDATED = dt.timedelta(days=1)
_COMMON_NAME = 64

_SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)

_TOLD = """\
Made {certificate} and {key}.
  name         {name}
  valid until  {until:%Y-%m-%d}
  for          {names}
  SHA-256      {fingerprint}

WHAT THIS IS. Whoever trusts this authority believes what is signed with {key}: that it
is their bank, their mail, their software updates. Keep the key where no one but the proxy's
user can read it, in no backup and no repository. Have no machine trust the certificate whose
users have not been told, and have not agreed where the law asks for that.

In the configuration of a forward proxy:

    [forward.NAME]
    intercept = {{ ca = "{certificate}", key = "{key}", except = ["*.bank.example"] }}

To have {file} trusted (the certificate; nobody but the proxy gets the key):

  one command      curl --cacert {certificate} --proxy http://127.0.0.1:3128 https://example.org/
                   (also: SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS, GIT_SSL_CAINFO)
  Debian, Ubuntu   cp {certificate} /usr/local/share/ca-certificates/{alias}.crt
                   update-ca-certificates
  Fedora, RHEL     cp {certificate} /etc/pki/ca-trust/source/anchors/{alias}.pem
                   update-ca-trust
  macOS            security add-trusted-cert -d -r trustRoot \\
                     -k /Library/Keychains/System.keychain {certificate}
  Windows          certutil -addstore -f ROOT {certificate}
  Firefox          Settings > Privacy & Security > Certificates > View Certificates > Authorities
                   > Import; or the policy Certificates.ImportEnterpriseRoots
  Chrome, Edge     take the system's; on Linux also: certutil -d sql:$HOME/.pki/nssdb -A \\
                     -t C,, -n {alias} -i {certificate}

When you are through with it, remove it from all of them, and delete the key.
"""


class MakingError(Exception):
    """It could not be made; says why."""


def makeAuthority(
    name: str, days: int, within: Iterable[str] = (), now: dt.datetime | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """
    Make an authority.

    It signs certificates of servers and none of other authorities.

    @param days: how long it lasts.
    @param within: names that it is limited to, each with all that is below it, and then to no
        address; empty for any.
    @param now: with a timezone; None for now.
    """
    now = (now or dt.datetime.now(dt.UTC)).replace(microsecond=0)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNING, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    permitted = [x509.DNSName(each) for each in within]
    if permitted:
        excluded = [x509.IPAddress(ip_network(each)) for each in ("0.0.0.0/0", "::/0")]
        builder = builder.add_extension(
            x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=excluded),
            critical=True,
        )
    return builder.sign(key, hashes.SHA256()), key


def write(folder: str, certificate: x509.Certificate, key: Any) -> tuple[str, str]:
    """
    Write an authority into a folder.

    @return: the paths of the certificate and of the key.
    @raise MakingError: that can't be done; nothing of it is left then.
    """
    paths = os.path.join(folder, CERTIFICATE), os.path.join(folder, KEY)
    octets = (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    written: list[str] = []
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # The key first: without it the certificate is of no use.
        for index, mode in ((1, 0o600), (0, 0o644)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(paths[index], flags, mode)
            written.append(paths[index])
            with open(descriptor, "wb") as file:
                file.write(octets[index])
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        for path in written:
            os.unlink(path)
        what = "it is there already, and nothing is written over it"
        reason = what if isinstance(error, FileExistsError) else error.strerror
        raise MakingError(f"{error.filename or folder}: {reason}") from error
    return paths


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="intermediary-make-ca", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("folder", metavar="FOLDER", help="where ca.pem and ca.key are written")
    parser.add_argument("--name", help="what people see in the lists of their browsers")
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"how long it lasts; {DAYS}, {MOST_DAYS} at most"
    )
    parser.add_argument(
        "--within",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that it is limited to, with all that is below it; may be repeated. "
        "Clients believe it about no other name, whoever has the key",
    )
    return parser


def _names(texts: Iterable[str]) -> list[str]:
    """
    Check the names that an authority is limited to.

    @raise ValueError: one of them is none.
    """
    found = []
    for text in texts:
        try:
            name = hostPattern(text.removeprefix("*.")).removesuffix(".")
        except Unfit as error:
            raise ValueError(f"--within {text}: {error.message}") from error
        if ":" in name or name.replace(".", "").isdigit():
            raise ValueError(f"--within {text}: an address is not a name")
        found.append(name)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param arguments: those of the process if None.
    @return: the exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not 1 <= options.days <= MOST_DAYS:
        parser.error(f"--days must be from 1 to {MOST_DAYS}")
    name = options.name or f"intermediary on {socket.gethostname()}"[:_COMMON_NAME]
    if not name.isprintable() or not 0 < len(name.strip()) <= len(name) <= _COMMON_NAME:
        parser.error(f"--name must have from 1 to {_COMMON_NAME} characters")
    try:
        within = _names(options.within)
    except ValueError as error:
        parser.error(str(error))
    certificate, key = makeAuthority(name, options.days, within)
    try:
        # The configuration is somewhere else, as a rule.
        path, keyPath = write(os.path.abspath(options.folder), certificate, key)
    except MakingError as error:
        sys.stderr.write(f"intermediary-make-ca: {error}\n")
        return 1
    digest = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    sys.stdout.write(
        _TOLD.format(
            certificate=path,
            key=keyPath,
            file=CERTIFICATE,
            alias="intermediary-interception",
            name=name,
            until=certificate.not_valid_after_utc,
            names=", ".join(f"{each} and below" for each in within) or "every name there is",
            fingerprint=digest,
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
