# -*- test-case-name: tests.test_packaging -*-
"""
What Twisted finds of this project: a service, and a client endpoint.

Every C{twistd}, C{trial} and C{clientFromString} on the host imports this file,
so it imports nothing of ours before it is used.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import ServiceMaker
from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class _ClientParser:
    """C{intermediary:HOST:PORT:via=...}, imported when the first one is parsed."""

    prefix = "intermediary"

    def parseStreamClient(self, reactor: Any, *args: Any, **kwargs: Any) -> Any:
        """See L{intermediary.ops.client.IntermediaryClientParser}."""
        from intermediary.ops.client import IntermediaryClientParser

        return IntermediaryClientParser().parseStreamClient(reactor, *args, **kwargs)


service = ServiceMaker(
    "intermediary",
    "intermediary.ops.service",
    "A forward and reverse proxy.",
    "intermediary",
)
client = _ClientParser()
