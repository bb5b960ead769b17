"""After a scenario: what was acknowledged is what the system counted, and that is what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadtests.bench.systems.system import Counts
    from loadtests.bench.turns import Player


def imbalances(player: Player, before: int = 0) -> list[str]:
    """One sentence for each difference; empty when the books balance. `before` is what others had been acknowledged."""
    player.system.settle()
    return differences(player.system.name, before + player.acknowledged, player.system.counts()) + [
        f"{player.system.name} answered: {failure}" for failure in player.failures
    ]


def differences(name: str, acknowledged: int, counts: Counts) -> list[str]:
    """A system that keeps no such count is not asked for it."""
    return [
        f"{name} acknowledged {acknowledged:,} events and {verb} {count:,}"
        for verb, count in (("counted", counts.counted), ("stored", counts.stored))
        if count is not None and count != acknowledged
    ]
