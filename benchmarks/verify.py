# -*- test-case-name: tests.test_benchmarks -*-
"""
Makes sure that a proxy answers rightly before anything is measured: a benchmark
of error pages is fast and worthless.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from .cases import Load
from .children import BenchmarkError
from .content import content
from .tunnels import clientContext

if TYPE_CHECKING:
    from .cases import Case
    from .origin import Origin
    from .peers import Running

#: Requests on one connection: the second one shows that it is kept, and that the
#: first one did not leave anything in the way.
REQUESTS = 3


def verify(case: Case, running: Running, origin: Origin) -> None:
    """
    Fetch a case's content as its load will, and compare every octet.

    @raise BenchmarkError: saying what was wrong.
    """
    port = running.port(case.front)
    before = origin.count()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    if case.secure:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=20, context=clientContext()
        )
    target = case.path
    if case.front == "forward":
        if case.load is Load.REQUESTS:
            target = f"http://127.0.0.1:{origin.port}{case.path}"
        else:
            connection.set_tunnel("127.0.0.1", origin.port)
    try:
        for number in range(REQUESTS):
            _assertAnswer(case, running, connection, target, number)
    except (OSError, http.client.HTTPException) as error:
        raise BenchmarkError(
            f"{running.name}, {case.name}: {error!r}\n{running.child.logTail()}"
        ) from error
    finally:
        connection.close()
    passed = (origin.count() - before).requests - 1
    # A proxy may take a moment to store what it has sent.
    right = 1 <= passed < REQUESTS if case.cached else passed == REQUESTS
    if not right:
        raise BenchmarkError(
            f"{running.name}, {case.name}: {REQUESTS} requests, {passed} of them at the origin"
        )


def _assertAnswer(
    case: Case,
    running: Running,
    connection: http.client.HTTPConnection,
    target: str,
    number: int,
) -> None:
    if number and connection.sock is None:
        raise BenchmarkError(f"{running.name}, {case.name}: the connection was not kept")
    connection.request("GET", target)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise BenchmarkError(
            f"{running.name}, {case.name}: status {response.status}: {body[:200]!r}"
        )
    expected = content(case.path)
    if body != expected:
        raise BenchmarkError(
            f"{running.name}, {case.name}: {len(body)} octets of content instead of"
            f" {len(expected)}, or others"
        )
