# -*- test-case-name: tests.test_benchmarks -*-
"""
The arithmetic behind the figures, and how they are shown.

A figure is the median over the rounds.  A ratio is the median of the ratios of
each round, not the ratio of the medians: what disturbed a round disturbed both.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .cases import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cases import Case
    from .measure import Sample

#: Above this share of the proxy's core used by others, a figure is marked.
FOREIGN_SHARE = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A case that has been measured."""

    case: Case
    rounds: Sequence[Sequence[Sample]]
    #: Peers that did not take part, and why.
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def peers(self) -> list[str]:
        """Who took part, in the order of the first round."""
        return [sample.peer for sample in self.rounds[0]] if self.rounds else []

    def values(self, peer: str) -> list[float]:
        """Give a peer's figure of each round."""
        return [sample.value for one in self.rounds for sample in one if sample.peer == peer]

    def median(self, peer: str) -> float:
        """Give a peer's figure."""
        return statistics.median(self.values(peer))

    def ratio(self, peer: str, other: str) -> float:
        """Say how many times the other's figure a peer's is."""
        pairs = zip(self.values(peer), self.values(other), strict=True)
        return statistics.median(
            mine / theirs if theirs > 0 else float("inf") for mine, theirs in pairs
        )

    def rate(self, peer: str) -> float:
        """Give requests per second of wall-clock time, the median over the rounds."""
        return statistics.median(
            sample.requests / sample.seconds
            for one in self.rounds
            for sample in one
            if sample.peer == peer
        )

    def foreign(self) -> float:
        """Give the biggest share of the proxy's core that others used in any sample."""
        return max(
            (sample.foreignSeconds / sample.seconds for one in self.rounds for sample in one),
            default=0.0,
        )

    def demands(self, peer: str) -> list[tuple[str, float, float]]:
        """
        Compare with what the case must show.

        @return: for each demand that can be judged: what it says, what was
            measured and the limit.
        """
        if peer not in self.peers:
            return []
        found = [
            (f"x {other}", self.ratio(peer, other), limit)
            for other, limit in self.case.ratios.items()
            if other in self.peers
        ]
        if self.case.limit is not None:
            found.append((self.case.unit.value, self.median(peer), self.case.limit))
        return found


def spell(value: float, unit: Unit) -> str:
    """Write a figure with as many digits as it deserves."""
    if unit is Unit.SECONDS_PER_GIGABYTE:
        return f"{value:.3f}"
    if unit is Unit.OCTETS_PER_CONNECTION:
        return f"{value:.0f}"
    return f"{value:.1f}" if value < 1000 else f"{value:.0f}"


def grid(rows: Sequence[Sequence[str]]) -> str:
    """Set rows of text in columns: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def table(results: Sequence[Result], subject: str = "intermediary") -> str:
    """Show all results: figures, ratios of the subject to each peer, and the demands."""
    peers: list[str] = []
    for result in results:
        peers.extend(peer for peer in sorted(result.peers) if peer not in peers)
    if subject in peers:
        peers.remove(subject)
        peers.insert(0, subject)
    others = [peer for peer in peers if peer != subject] if subject in peers else []
    header = ["case", "unit", *peers, *(f"x {peer}" for peer in others)]
    if others or subject in peers:
        header.append("at most")
    rows = [header]
    for result in results:
        row = [result.case.name, result.case.unit.value]
        for peer in peers:
            present = peer in result.peers
            row.append(spell(result.median(peer), result.case.unit) if present else "-")
        for peer in others:
            both = peer in result.peers and subject in result.peers
            row.append(f"{result.ratio(subject, peer):.2f}" if both else "-")
        if len(row) < len(header):
            row.append(_verdict(result, subject))
        rows.append(row)
    return grid(rows)


def _verdict(result: Result, subject: str) -> str:
    return (
        ", ".join(
            f"{limit:g} {what}: {'met' if measured <= limit else 'MISSED'}"
            for what, measured, limit in result.demands(subject)
        )
        or "-"
    )


def notes(results: Sequence[Result]) -> list[str]:
    """Say what the table leaves out: who was skipped, what may have been disturbed."""
    found: list[str] = []
    for result in results:
        for peer, why in result.skipped.items():
            note = f"{peer} skipped: {why}"
            if note not in found:
                found.append(note)
        if result.foreign() > FOREIGN_SHARE:
            found.append(
                f"{result.case.name}: others used up to {result.foreign():.0%} of the proxy's"
                " core while it was measured"
            )
    return found


def document(results: Sequence[Result], facts: dict[str, object]) -> dict[str, Any]:
    """Give everything, with every sample, as something that JSON can hold."""
    return {
        "machine": facts,
        "cases": [
            {
                "name": result.case.name,
                "title": result.case.title,
                "unit": result.case.unit.value,
                "medians": {peer: result.median(peer) for peer in result.peers},
                "requestsPerSecond": {peer: result.rate(peer) for peer in result.peers},
                "ratios": {
                    f"{peer}/{other}": result.ratio(peer, other)
                    for peer in result.peers
                    for other in result.peers
                    if peer != other
                },
                "demands": [
                    {"what": what, "measured": measured, "atMost": limit}
                    for what, measured, limit in result.demands("intermediary")
                ],
                "skipped": result.skipped,
                "rounds": [[asdict(sample) for sample in one] for one in result.rounds],
            }
            for result in results
        ],
    }
