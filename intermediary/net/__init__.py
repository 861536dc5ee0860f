"""Twisted transports, connections, the pool and tunnels: whatever touches a socket."""
