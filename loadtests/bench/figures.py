"""What a scenario gives: figures, each with its aim if it has one, and what was measured beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtests.bench.turns import Player


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the table. `aim` is what it should at least be, or at most with `is_upper`."""

    name: str
    value: float | None
    unit: str = ""
    aim: float | None = None
    is_upper: bool = False
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """None without aim, or where nothing was measured."""
        if self.value is None or self.aim is None:
            return None
        return self.value <= self.aim if self.is_upper else self.value >= self.aim


@dataclass(slots=True)
class Result:
    """`measured` holds, by a title, what each system did; `imbalances` is empty when all books balance."""

    figures: list[Figure] = field(default_factory=list)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    imbalances: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def add(self, name: str, value: float | None, unit: str = "", **more: Any) -> None:
        self.figures.append(Figure(name, None if value is None else round(value, 3), unit, **more))

    def show(self, title: str, *players: Player) -> None:
        self.measured[title] = {player.system.name: described(player) for player in players}


def described(player: Player) -> dict[str, Any]:
    return {
        "events_per_second": round(player.events_per_second),
        "cpu_us_per_event": player.cpu_us_per_event(),
        "latencies_ms": player.latencies_ms(),
        "turns_events_per_second": [round(turn.events_per_second) for turn in player.turns],
    }
