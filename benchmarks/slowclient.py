# -*- test-case-name: tests.test_benchmarks -*-
"""
A client with a lot to fetch or to send, that compares every octet it gets.

    python -m benchmarks.slowclient download|upload ...

Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
import zlib

from .originserver import streamBlock
from .tunnels import contentLength, openTunnel, readHead

TAG = "slow"
PIECE_OCTETS = 65536


def download(connection: socket.socket, request: bytes, rate: int) -> int:
    """Read a response at a rate, in octets per second; give the octets of its content."""
    connection.sendall(request)
    head, piece = readHead(connection)
    length = contentLength(head)
    block = streamBlock(TAG) * 2
    period = len(block) // 2
    began = time.monotonic()
    octets = 0
    while True:
        start = octets % period
        if piece != block[start : start + len(piece)]:
            raise ValueError(f"other content than expected at octet {octets}")
        octets += len(piece)
        if octets == length:
            return octets
        early = began + octets / rate - time.monotonic()
        if early > 0:
            time.sleep(early)
        piece = connection.recv(PIECE_OCTETS)
        if not piece:
            raise EOFError(f"ended after {octets} of {length} octets")


def upload(connection: socket.socket, request: bytes, octets: int) -> int:
    """Send a request with content, as fast as it is taken; see whether all of it arrived."""
    connection.sendall(request)
    block = streamBlock(TAG)
    checksum = 0
    for missing in range(octets, 0, -len(block)):
        piece = block[:missing]
        checksum = zlib.crc32(piece, checksum)
        connection.sendall(piece)
    head, body = readHead(connection)
    while len(body) < contentLength(head):
        body += connection.recv(PIECE_OCTETS)
    arrived, theirs = map(int, body.split())
    if (arrived, theirs) != (octets, checksum):
        raise ValueError(f"{arrived} octets with checksum {theirs} arrived")
    return arrived


def main(arguments: list[str]) -> None:
    """Make one transfer and print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slowclient")
    parser.add_argument("direction", choices=("download", "upload"))
    parser.add_argument("--front", choices=("reverse", "forward", "tunnel"), required=True)
    parser.add_argument("--proxy", type=int, required=True)
    parser.add_argument("--origin", type=int, required=True)
    parser.add_argument("--octets", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True)
    options = parser.parse_args(arguments)
    authority = f"127.0.0.1:{options.origin}"
    prefix = f"http://{authority}" if options.front == "forward" else ""
    if options.front == "tunnel":
        connection = openTunnel(options.proxy, options.origin)
    else:
        connection = socket.create_connection(("127.0.0.1", options.proxy), 30)
    connection.settimeout(60)
    began = time.monotonic()
    if options.direction == "download":
        target = f"{prefix}/stream/{options.octets}/{TAG}"
        request = f"GET {target} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        octets = download(connection, request.encode("ascii"), options.rate)
    else:
        target = f"{prefix}/upload/{options.rate}"
        request = (
            f"POST {target} HTTP/1.1\r\nHost: {authority}\r\n"
            f"Content-Length: {options.octets}\r\n\r\n"
        )
        octets = upload(connection, request.encode("ascii"), options.octets)
    connection.close()
    print(json.dumps({"octets": octets, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
