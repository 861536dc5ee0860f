"""Tests of L{intermediary.net}; those of transports and the reactor use loopback sockets."""
