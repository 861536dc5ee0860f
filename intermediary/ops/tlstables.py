# -*- test-case-name: tests.ops.test_schema -*-
"""
Tables of the configuration file about TLS: see L{intermediary.ops.schema}.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..settings import ClientTLSSettings, OriginTLSSettings, TLSSettings
from . import values
from .tables import (
    AlternativePattern,
    AutomaticName,
    CertificateField,
    CertificateName,
    Count,
    DirectoryURL,
    Email,
    FilePath,
    Fingerprint,
    FolderPath,
    Grace,
    PEMFile,
    Seconds,
    ServerName,
    SubjectPattern,
    Table,
    fit,
)

_TLS = TLSSettings()
_CLIENT_TLS = ClientTLSSettings(ca="")
_ORIGIN_TLS = OriginTLSSettings()


class ClientHeadersTable(Table):
    """
    Fields of your own that tell servers of certificates: `headers = { subject = "X-Client-Subject" }`.

    What has no name is not told. Clients can't send these, at no reverse front of the process.
    """

    certificate: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Certificate"],
        description="The certificate itself, as in `Client-Cert`: its DER in base64, between colons.",
    )
    chain: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Chain"],
        description="Those that vouch for it, as in `Client-Cert-Chain`, from who signed it to who "
        "is in `ca`. Sessions are then not resumed, as tickets do not hold them.",
    )
    verified: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Verify"],
        description="`SUCCESS`, or `NONE` from who has shown no certificate.",
    )
    subject: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Subject"],
        description="Its subject by RFC 4514, the most specific part first: `CN=alice,O=Example`. "
        "Octets that are not visible ASCII are written as `\\C3\\A9`.",
    )
    issuer: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Issuer"],
        description="The same of who signed it.",
    )
    sans: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Names"],
        description="Its alternative names: `dns:web1.ops.example, email:alice@example.org`. A "
        "comma in one of them is written as `\\2C`.",
    )
    serial: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Serial"],
        description="Its serial number, in hexadecimal.",
    )
    fingerprint: CertificateField | None = Field(
        default=None,
        examples=["X-Client-Fingerprint"],
        description="Its SHA-256, in 64 hexadecimal digits.",
    )


def _headers(value: Any) -> Any:
    """Read the names of what RFC 9440 has as tables."""
    if value == "rfc9440":
        return ClientHeadersTable.model_construct(certificate="Client-Cert")
    if value == "rfc9440-chain":
        return ClientHeadersTable.model_construct(
            certificate="Client-Cert", chain="Client-Cert-Chain"
        )
    if isinstance(value, dict) and value:
        return value
    raise values.Unfit(
        "is no way to tell of certificates",
        'write "rfc9440", "rfc9440-chain", or a table as { subject = "X-Client-Subject" }',
    )


def _headersSchema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that a table may be a name."""
    schema["anyOf"] = [{"enum": ["rfc9440", "rfc9440-chain"]}, *schema["anyOf"][:1]]


ClientHeaders = Annotated[ClientHeadersTable | None, BeforeValidator(fit(_headers))]


class ClientsTable(Table):
    """
    Certificates of clients (mTLS): `tls = { ..., clients = { ca = "clients-ca.pem" } }`.

    They are asked for in the handshake, and who shows a bad one is refused there. Which of those
    that are good are let in, `client-certificate` of a route or of a forward front says. Files are
    read again as those of certificates are; after a change, everybody has to prove anew who they
    are.
    """

    ca: FilePath = Field(
        examples=["clients-ca.pem"],
        description="A file in PEM with the authorities that vouch for clients, or with clients' "
        "own certificates. Whoever one of them signs a certificate for is let in: it should be an "
        "authority of your own, not one that the world trusts.",
    )
    crl: FilePath | None = Field(
        default=None,
        examples=["clients-crl.pem"],
        description="A file in PEM with the lists of what they have revoked. With it, each "
        "authority needs its list: **where one is missing or has expired, its clients are refused**. "
        "Absent: a certificate is good until it expires.",
    )
    required: bool = Field(
        default=_CLIENT_TLS.required,
        description="Whether who shows no certificate is refused in the handshake. When false, it "
        "is `client-certificate` of the routes, or the servers, that have to keep them out.",
    )
    headers: ClientHeaders = Field(
        default=None,
        examples=["rfc9440", {"subject": "X-Client-Subject"}],
        json_schema_extra=_headersSchema,
        description="How servers of a reverse front are told of the certificate: `rfc9440` sends it "
        "in `Client-Cert`, `rfc9440-chain` those that vouch for it in `Client-Cert-Chain` as well "
        "(then no session is resumed, as tickets do not hold them); a table has names of your own. "
        "Requests with a certificate are then neither answered from the cache nor stored. Absent: "
        "they are not told.",
    )


def _anyOrTable(value: Any) -> Any:
    """Read C{true} as any certificate, and C{false} as no rule."""
    if value is True:
        return ClientRuleTable()
    if value is False:
        return None
    if isinstance(value, dict) and any(value.values()):
        return value
    raise values.Unfit(
        "says nothing of certificates",
        'write true for any, or for example { subject = ["CN=alice,*"] }',
    )


def ruleSchema(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that a table may be C{true} or C{false}."""
    schema["anyOf"] = [{"type": "boolean"}, *schema["anyOf"][:1]]
    schema["default"] = False


class ClientRuleTable(Table):
    """
    Who is let in, by the certificate that they show; others get 403.

    `client-certificate = true` is whoever shows a valid one. In a table one pattern that fits is
    enough: `client-certificate = { subject = ["CN=alice,*"], san = ["dns:*.ops.example"] }`. The front
    needs `clients` in its `tls`.
    """

    subject: list[SubjectPattern] = Field(
        default=[],
        examples=[["CN=alice,*", "CN=*,OU=Ops,O=Example"]],
        description="Subjects as `openssl x509 -noout -subject -nameopt RFC2253` prints them. `*` in a "
        "value stands for anything in that value, `*` alone for any other parts. Letters count in "
        "their case.",
    )
    san: list[AlternativePattern] = Field(
        default=[],
        examples=[["dns:*.ops.example", "email:*@example.org", "ip:192.0.2.0/24"]],
        description="Alternative names with their kind: `dns:`, `email:`, `uri:`, `ip:`. `*` stands "
        "for anything, dots and slashes too; an address may be a network.",
    )
    fingerprint: list[Fingerprint] = Field(
        default=[],
        description="SHA-256 of certificates, in hexadecimal, with colons or without: `openssl x509 "
        "-noout -fingerprint -sha256 -in FILE`.",
    )


ClientRule = Annotated[ClientRuleTable | None, BeforeValidator(fit(_anyOrTable))]


class AcmeTable(Table):
    """
    Certificates that the front gets and renews by itself, from an authority that speaks ACME.

    `tls = { acme = { terms-agreed = true, email = "hostmaster@example.org" } }`. It needs the extra
    `intermediary[acme]`. Each name gets a certificate of its own, which is renewed when a third of
    its life is left. Relative paths count from the folder of this file.
    """

    directory: DirectoryURL = Field(
        default="letsencrypt",
        validate_default=True,
        examples=["letsencrypt-staging"],
        description="Who is asked: `letsencrypt`, `letsencrypt-staging`, or the URL of an ACME "
        "server's directory. Try with staging, whose certificates no browser trusts: the real one "
        "has limits, and who fails too often waits for hours or days.",
    )
    termsAgreed: bool = Field(
        default=False,
        examples=[True],
        description="Whether you agree to the authority's terms of service. Without, nothing runs.",
    )
    email: Email | None = Field(
        default=None,
        examples=["hostmaster@example.org"],
        description="Where the authority may write to. Absent: nowhere.",
    )
    names: list[AutomaticName] | None = Field(
        default=None,
        min_length=1,
        examples=[["example.org", "www.example.org"]],
        description="What to get certificates for; no wildcards. Absent: the exact hosts of the "
        "front's routes. Names that a file of `certificate` or `certificates` is for are left out. "
        "Everybody can read them in the public logs of certificates.",
    )
    challenge: Literal["tls-alpn-01", "http-01"] = Field(
        default="tls-alpn-01",
        description="How the authority sees that the names lead here. `tls-alpn-01`: it connects to "
        "port 443 of each name, which has to reach this front with its TLS intact. `http-01`: it "
        "connects to port 80, which has to reach a reverse front without TLS that has a route for "
        "the name.",
    )
    storage: FolderPath = Field(
        default="acme/",
        description="The folder for account, keys and certificates. It is made if need be, and has "
        "to belong to the user that the process runs as. Whoever can read it can be your site; it is "
        "refused where others may write. Fronts and processes may share one.",
    )
    ca: PEMFile | None = Field(
        default=None,
        examples=["authority-ca.pem"],
        description="For an ACME server of your own: certificates that its TLS is trusted by. "
        "Absent: whom the system trusts.",
    )
    key: Literal["EC", "RSA"] = Field(
        default="EC",
        description="The kind of the keys: `EC` is P-256, `RSA` has 2048 bits and is for clients "
        "that know nothing else.",
    )


class TLSTable(Table):
    """
    TLS with the clients of a front, at all the places where it listens.

    `tls = { certificate = "site.pem", key = "site.key" }`, or `tls = { certificates = "certs/" }`
    for several names. Relative paths count from the folder of this file. Files that change are
    read again within seconds, by the user that the process runs as, and at once on SIGHUP; one
    that can't be used is told of in the log, and what it held before is used on.
    """

    certificate: FilePath | None = Field(
        default=None,
        examples=["site.pem"],
        description="A file in PEM: the server's certificate first, and behind it those that vouch "
        "for it, but for the root.",
    )
    key: FilePath | None = Field(
        default=None,
        examples=["site.key"],
        description="The file of its private key, in PEM and without a password; absent: it is in "
        "the same file. Whoever can read it can be your site: it is for the proxy's user alone.",
    )
    certificates: FolderPath | None = Field(
        default=None,
        examples=["certs/"],
        description="In place of `certificate`: a folder of `NAME.pem` (or `.crt`) files, each a "
        "certificate with those that vouch for it and its key, which may also be beside it in "
        "`NAME.key`. The names in the certificates decide which one a client gets: the exact name, "
        "then a wildcard; of two for the same name, EC and RSA by what the client can do, "
        "otherwise the one that lasts longer.",
    )
    default: CertificateName | None = Field(
        default=None,
        examples=["example.org"],
        description="With `certificates`: the name whose certificate is for clients that ask for no "
        "name, or for one that there is none for. Absent: that of the first file.",
    )
    profile: Literal["intermediate", "modern", "compatible"] = Field(
        default="intermediate",
        description="Versions and ciphers, as Mozilla recommends them. `intermediate`: TLS 1.2 and "
        "1.3, with forward secrecy and authenticated encryption alone. `modern`: TLS 1.3 alone. "
        "`compatible`: also TLS 1.0 and 1.1, CBC and static RSA, which can be attacked: for "
        "clients that nobody can replace.",
    )
    handshakeSeconds: Seconds = Field(
        default=_TLS.handshakeSeconds,
        description="How long a handshake may take, from the accept on. Octets that trickle in do "
        "not extend it. Seconds.",
    )
    handshakes: Count = Field(
        default=_TLS.handshakes,
        description="How many may be under way at once in this front. Who is over it waits, in the "
        "same time. Each takes some 50 KiB of memory; clients that are through theirs are served "
        "however many there are.",
    )
    resumptionSeconds: Grace = Field(
        default=_TLS.resumptionSeconds,
        description="For how long a client may come back without a whole handshake, by a ticket "
        "that it is given. After that time there is a new key for tickets, and those under the old "
        "one mean nothing. Whoever gets hold of the key can read TLS 1.2 sessions of its time that "
        "were recorded. 0 gives no tickets. Seconds.",
    )
    stapling: bool = Field(
        default=_TLS.stapling,
        description="Whether clients that ask for it get, with a certificate that names an OCSP "
        "responder, the word of its authority that it was not revoked. The proxy asks the responder "
        "for that, by plain HTTP; behind the certificate has to be that of its issuer.",
    )
    clients: ClientsTable | None = Field(
        default=None,
        examples=[{"ca": "clients-ca.pem"}],
        description="Certificates of clients; absent: they are asked for none.",
    )
    acme: AcmeTable | None = Field(
        default=None,
        examples=[{"terms-agreed": True}],
        description="Certificates that the front gets by itself, for names that no file has one for. "
        "Absent: it gets none.",
    )


class OriginTLSTable(Table):
    """
    How TLS is spoken with the `https` servers of an upstream: `tls = { ca = "backends.pem" }`.

    It is TLS 1.2 or 1.3, servers are verified, and all files are in PEM. Relative paths count from
    the folder of this file. Files are read at the start.
    """

    ca: PEMFile | None = Field(
        default=_ORIGIN_TLS.ca,
        examples=["backends-ca.pem"],
        description="Certificates that are trusted, in place of those that the system trusts: "
        "authorities, or servers' own. Absent: the file or folder that `SSL_CERT_FILE` or "
        "`SSL_CERT_DIR` names, the system's, or the package `certifi`, if it is installed.",
    )
    certificate: PEMFile | None = Field(
        default=_ORIGIN_TLS.certificate,
        examples=["proxy.pem"],
        description="What the proxy proves to be where a server asks for that: its certificate, "
        "and behind it those of the authorities between. It is sent to no server that did not "
        "prove to be the right one.",
    )
    key: PEMFile | None = Field(
        default=_ORIGIN_TLS.key,
        examples=["proxy.key"],
        description="The key of `certificate`, without a passphrase. Absent: it is in the same "
        "file. Whoever may read it can pass for the proxy.",
    )
    verify: bool = Field(
        default=_ORIGIN_TLS.verify,
        description="Whether servers have to prove that they are the ones that are meant. "
        "**Without it anybody on the way to them can read and change everything**, and the start "
        "warns of it. For a server that signed its certificate itself, name that in `ca` instead.",
    )
    name: ServerName | None = Field(
        default=_ORIGIN_TLS.name,
        examples=["backend.example.org"],
        description="The name or address that servers have to prove to be, and that is sent to "
        "them (SNI) if it is a name. Absent: the host of their URL. `Host` is not changed by it.",
    )
    profile: Literal["modern", "intermediate", "compatible"] = Field(
        default=_ORIGIN_TLS.profile,
        description="Versions and ciphers: `modern` speaks TLS 1.3 alone, `compatible` takes old "
        "ciphers of TLS 1.2, too.",
    )


__all__ = [
    "AcmeTable",
    "ClientHeaders",
    "ClientHeadersTable",
    "ClientRule",
    "ClientRuleTable",
    "ClientsTable",
    "OriginTLSTable",
    "TLSTable",
    "ruleSchema",
]
