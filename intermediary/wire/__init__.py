"""
HTTP/1 as pure functions and sans-IO readers.

Octets in, events out (and back); no sockets, no clock, no Twisted.  Everything
here refuses what is malformed instead of repairing it (RFC 9112 §11.2).
"""
