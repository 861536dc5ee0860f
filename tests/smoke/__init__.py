"""What needs real sockets, processes or programs of others."""
