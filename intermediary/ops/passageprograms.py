# -*- test-case-name: tests.ops.test_passageprograms -*-
"""
Settings to the programs of clients that are passed through.

They are apart from those of requests (L{intermediary.ops.programs}), with which they have
their end in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..net.passing import Passing
from ..policy.passages import Passage, Passages
from ..program import Program
from .programs import NOTES

if TYPE_CHECKING:
    from ..net.dialling import Dialling
    from ..settings import ReverseSettings
    from .programs import Sections, Upstreams

#: Remarks in the listing.
PASSAGE_NOTES = {
    **NOTES,
    "passing.Passing.join": "parks: tunnel",
    "passing.Passing.refuse": "alert",
}


class PassagePrograms:
    """
    The programs for clients of TLS that a reverse front passes through.

    No hook but C{onFinish} sees them: there is no request in them.

    @ivar choose: chooses between them.
    """

    def __init__(
        self,
        settings: ReverseSettings,
        sections: Sections,
        upstreams: Upstreams,
        dialling: Dialling,
    ) -> None:
        """
        @raise ValueError: a server's URL or a name is misspelt.
        """
        passing = Passing(dialling)
        passages = []
        for each in settings.passthrough:
            upstream = upstreams.get(each.upstream)
            spoken = f" ({' '.join(each.alpn)})" if each.alpn else ""
            program = Program(
                f"reverse.{settings.name} TLS {' '.join(each.names)}{spoken} -> {upstream.name}",
                {
                    "fetch": (upstream.onFetch, dialling.dial, passing.join),
                    "deliver": (passing.refuse,),
                    "finish": sections.finish,
                },
                PASSAGE_NOTES,
            )
            passages.append(Passage(each.names, each.alpn, program))
        self.programs = tuple(passage.program for passage in passages)
        self.choose = Passages(passages, alone=settings.tls is None)


__all__ = ["PASSAGE_NOTES", "PassagePrograms"]
