# -*- test-case-name: tests.net.test_tlschance -*-
"""
TLS on a socket as it comes: both sides say, stall, pause, end and break off by chance.

The chance is the same each time.
"""

from __future__ import annotations

import gc
import weakref
from random import Random
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from intermediary.net.tlssocket import CLOSE_SECONDS

from .test_tlssocket import Listening, OnOpaque, Talk, TLSTestCase
from .tlspeers import MemoryClient

#: Connections, and what happens on each.
CONNECTIONS = 100
STEPS = 60
#: What is written at once: around what records are cut at.
SIZES = (1, 20, 1300, 1380, 1381, 14000, 14001, 16384, 16385, 60000, 300000)


class Moody(Listening):
    """A server's protocol that does what it likes whenever it is called."""

    transport: Any

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.chance = chance
        #: All that has to arrive, in this order, as far as it arrives.
        self.wrote = b""

    def write(self) -> None:
        octets = self.chance.randbytes(self.chance.choice(SIZES))
        tls = self.transport.tls
        # What ended has no use for it.
        if tls.ready or (tls.transport is not None and tls._takes(self.transport)):
            self.wrote += octets
        if self.chance.random() < 0.5:
            self.transport.write(octets)
        else:
            cut = self.chance.randrange(len(octets))
            self.transport.writeSequence([octets[:cut], b"", octets[cut:]])

    def act(self) -> None:
        mood = self.chance.random()
        if mood < 0.3:
            self.write()
        elif mood < 0.35:
            self.transport.pauseProducing()
        elif mood < 0.38:
            self.transport.loseConnection()
        elif mood < 0.39:
            self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.act()

    def handshakeCompleted(self) -> None:
        super().handshakeCompleted()
        self.act()


class Chance:
    """
    What happens on one connection.

    @ivar said: what the client has said.
    @ivar ended: whether it says no more, or nothing that makes sense.
    """

    def __init__(self, case: TLSTestCase, seed: int) -> None:
        self.case = case
        self.random = Random(seed)
        highest = self.random.choice((SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION))
        self.talk = Talk(case, MemoryClient(b"a.example", highest=highest), Moody(self.random))
        self.talk.transport.startTLS(case.policy)
        self.waiting = b""
        self.said = b""
        self.ended = False

    def clientHears(self, most: int) -> None:
        """Carry some octets to the client, and take what it says to them."""
        client = self.talk.client
        try:
            client.hears(self.talk.wire.peer.recv(most))
        except OSError:
            pass
        self.waiting += client.speaks()
        if client.done and client.error is None:
            self.talk.heard += client.reads()
            self.waiting += client.speaks()
        # It is a test's, and none of what this is about.
        lib.ERR_clear_error()

    def clientSends(self, most: int) -> None:
        """Carry some octets to the server."""
        try:
            sent = self.talk.wire.peer.send(self.waiting[:most])
        except OSError:
            return
        self.waiting = self.waiting[sent:]

    def clientSays(self) -> None:
        """Have it say something, or the end, or nonsense."""
        client = self.talk.client
        if not client.done or client.error is not None or self.ended:
            return
        if self.random.random() < 0.95:
            octets = self.random.randbytes(self.random.choice(SIZES))
            self.said += octets
            while octets:
                octets = octets[client.connection.send(octets[:16384]) :]
            self.waiting += client.speaks()
        else:
            self.ended = True
            if self.random.random() < 0.7:
                client.connection.shutdown()
                self.waiting += client.speaks()
            else:
                self.waiting += self.random.randbytes(40)

    def step(self) -> None:
        """Have something happen."""
        talk, chance = self.talk, self.random
        what = chance.random()
        if what < 0.25:
            self.clientSends(chance.choice((1, 5, 1000, 100000)))
        elif what < 0.45:
            self.clientHears(chance.choice((1, 100, 100000)))
        elif what < 0.7:
            talk.wire.reactor.turn()
        elif what < 0.8:
            self.clientSays()
        elif what < 0.85:
            self.case.clock.advance(0)
        elif talk.wire.connected:
            if what < 0.93:
                talk.protocol.write()
            elif what < 0.98:
                talk.transport.resumeProducing()
            else:
                talk.protocol.act()

    def settle(self) -> None:
        """Have all that is under way arrive."""
        for _ in range(100):
            self.clientSends(1 << 20)
            self.clientHears(1 << 20)
            self.case.clock.advance(0)
            if self.talk.wire.connected:
                self.talk.transport.resumeProducing()
            self.talk.wire.reactor.turn()


class ChanceTests(TLSTestCase):
    """What holds whatever happens."""

    def test_whateverHappens(self) -> None:
        """Octets arrive as they were said, and nothing is left in the end."""
        gc.disable()
        self.addCleanup(gc.enable)
        endings = set()
        for seed in range(CONNECTIONS):
            endings.add(self.happens(seed))
        self.assertLessEqual({ConnectionAborted, ConnectionDone, ConnectionLost}, endings)

    def happens(self, seed: int) -> Any:
        """
        Have one connection, from its beginning to its end.

        @return: how it ended.
        """
        chance = Chance(self, seed)
        talk, protocol = chance.talk, chance.talk.protocol
        for _ in range(STEPS):
            chance.step()
            self.assertEqual(lib.ERR_peek_error(), 0, seed)
        chance.settle()
        self.assertTrue(chance.said.startswith(protocol.received), seed)
        self.assertTrue(protocol.wrote.startswith(talk.heard), seed)
        if talk.wire.connected and not talk.transport.disconnecting and not chance.ended:
            self.assertEqual((chance.said, protocol.wrote), (protocol.received, talk.heard), seed)
        talk.wire.peer.close()
        talk.wire.reactor.rest()
        self.clock.advance(CLOSE_SECONDS)
        self.assertEqual(protocol.told.count("lost"), 1, seed)
        self.assertEqual(self.clock.getDelayedCalls(), [], seed)
        reactor = talk.wire.reactor
        self.assertEqual((reactor.readers, reactor.writers), (set(), set()), seed)
        self.assertEqual(lib.ERR_peek_error(), 0, seed)
        ending = talk.reason
        gone = weakref.ref(talk.transport)
        protocol.reason = None
        del talk.transport, talk.wire.eager, protocol.transport
        self.assertIsNone(gone(), seed)
        return ending


class OpaqueChanceTests(ChanceTests):
    """The same by the public methods of pyOpenSSL alone."""

    Policy = OnOpaque


__all__ = ["ChanceTests", "OpaqueChanceTests"]
