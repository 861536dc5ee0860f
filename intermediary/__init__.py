"""
A combined forward and reverse proxy on Twisted.

RFC 9110 §3.7 names three intermediaries: the proxy, the gateway and the
tunnel.  This package is all three in one process: import
L{intermediary.ops.endpoints} to embed one, or run C{twistd intermediary}.
"""

__version__ = "0.1.0"
