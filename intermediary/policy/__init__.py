"""
Decisions: who may do what, and where requests go.

Knows messages and exchanges, no sockets; a sibling of L{intermediary.net} that
neither imports the other.
"""
