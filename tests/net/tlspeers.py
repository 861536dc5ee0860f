# -*- test-case-name: tests.net.test_servertls -*-
"""
TLS clients in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL, crypto

if TYPE_CHECKING:
    from .certifying import Made


def trusting(by: Made, protocols: tuple[bytes, ...] = (b"http/1.1",)) -> SSL.Context:
    """Make a client's context that trusts one authority."""
    context = SSL.Context(SSL.TLS_METHOD)
    store = context.get_cert_store()
    assert store is not None
    store.add_cert(crypto.X509.from_cryptography(by.certificate))
    context.set_verify(SSL.VERIFY_PEER)
    if protocols:
        context.set_alpn_protos(list(protocols))
    return context


class MemoryClient:
    """
    A client that verifies nothing.

    @ivar error: what ended its handshake; None for nothing.
    @ivar done: whether the handshake is complete.
    """

    def __init__(
        self,
        name: bytes = b"",
        protocols: tuple[bytes, ...] = (),
        highest: int | None = None,
        lowest: int | None = None,
        ciphers: bytes = b"",
        certificate: Any = None,
        context: Any = None,
        session: Any = None,
        chain: tuple[Any, ...] = (),
    ) -> None:
        if context is None:
            context = SSL.Context(SSL.TLS_METHOD)
            if highest is not None:
                context.set_max_proto_version(highest)
            if lowest is not None:
                context.set_min_proto_version(lowest)
            if ciphers:
                context.set_cipher_list(ciphers)
            if protocols:
                context.set_alpn_protos(list(protocols))
            if certificate is not None:
                context.use_certificate(certificate.certificate)
                context.use_privatekey(certificate.privateKey)
            for each in chain:
                context.add_extra_chain_cert(each.certificate)
        self.context = context
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        if name:
            self.connection.set_tlsext_host_name(name)
        if session is not None:
            self.connection.set_session(session)
        self.error: Any = None
        self.done = False

    def speaks(self) -> bytes:
        """Go on with the handshake, and give what is to be sent."""
        if not self.done and self.error is None:
            try:
                self.connection.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                self.error = error
            else:
                self.done = True
        try:
            return bytes(self.connection.bio_read(1 << 20))
        except SSL.WantReadError:
            return b""

    def hears(self, octets: bytes) -> None:
        """Be sent something."""
        if octets:
            self.connection.bio_write(octets)

    def reads(self) -> bytes:
        """Give what was said to it since."""
        read = b""
        while True:
            try:
                read += self.connection.recv(1 << 16)
            except (SSL.WantReadError, SSL.ZeroReturnError):
                return read
            except SSL.Error as error:
                self.error = error
                return read

    @property
    def subject(self) -> str:
        """The common name of the certificate that it was shown."""
        certificate: Any = self.connection.get_peer_certificate(as_cryptography=True)
        return str(next(iter(certificate.subject)).value)

    @property
    def kind(self) -> str:
        """The kind of that certificate's key."""
        certificate: Any = self.connection.get_peer_certificate(as_cryptography=True)
        return "RSA" if "RSA" in type(certificate.public_key()).__name__ else "EC"

    def session(self) -> Any:
        """Give what it may resume; the connection is over."""
        both = SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN
        # Otherwise OpenSSL takes it for one that was cut off, which is not resumed.
        self.connection.set_shutdown(both)
        return self.connection.get_session()


def meet(client: MemoryClient, server: Any) -> Any:
    """
    Have a client and a server's C{Connection} shake hands, as far as they get.

    @return: what ended it for the server; None for nothing.
    """
    failed: Any = None
    for _ in range(6):
        octets = client.speaks()
        if octets:
            server.bio_write(octets)
        if failed is None:
            try:
                server.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as error:
                failed = error
        try:
            client.hears(server.bio_read(1 << 20))
        except SSL.WantReadError:
            pass
        if client.done:
            client.reads()
    return failed


def reasons(error: Any) -> list[str]:
    """What OpenSSL says of an error."""
    return [each[2] for each in error.args[0]]
