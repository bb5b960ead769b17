"""The books of a run of events: what was read is accepted, duplicate, rejected or undelivered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from service.cli.delivery import Delivery, Undelivered
from service.cli.lines import Item, Line, Unsendable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(slots=True)
class Tally:
    """The books of one run: everything read ends up in exactly one of the other counts."""

    noun: str = "line"
    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    undelivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    failure: str | None = None

    @property
    def balances(self) -> bool:
        return self.read == self.accepted + self.duplicates + self.rejected.total() + self.undelivered

    @property
    def exit_code(self) -> int:
        return 0 if self.balances and not self.undelivered and self.failure is None else 1

    async def deliver(self, items: Sequence[Item], delivery: Delivery) -> None:
        """Post what can be posted of a batch, and book all of it. After a failure nothing more is posted."""
        lines = [item for item in items if isinstance(item, Line)]
        self.read += len(items)
        for item in items:
            if isinstance(item, Unsendable):
                self._reject(item.reason, item.number, item.detail)
        if not lines or self.failure:
            self.undelivered += len(lines)
            return
        try:
            answer = await delivery.post(
                [line.event for line in lines], repeatable=all(line.repeatable for line in lines)
            )
        except Undelivered as undelivered:
            self.undelivered += len(lines)
            self.failure = self.failure or str(undelivered)
            return
        self.accepted += answer.accepted
        self.duplicates += answer.duplicates
        for index, reason, detail in answer.rejected:
            self._reject(reason, lines[index].number, detail)

    def _reject(self, reason: str, number: int, detail: str) -> None:
        self.rejected[reason] += 1
        self.examples.setdefault(reason, f"{self.noun} {number}: {detail}")

    def report(self, verb: str, resent: int, elapsed_seconds: float, as_json: bool, **more: float) -> None:
        """Print the summary: for people, or as one JSON object. `verb` says what the first number counts."""
        per_second = round(self.read / elapsed_seconds) if elapsed_seconds else 0
        if as_json:
            summary = {
                verb: self.read,
                "accepted": self.accepted,
                "duplicates": self.duplicates,
                "rejected": self.rejected.total(),
                "rejected_by_reason": dict(self.rejected),
                "undelivered": self.undelivered,
                "balances": self.balances,
                "failure": self.failure,
                "posted_again": resent,
                "elapsed_seconds": round(elapsed_seconds, 3),
                "events_per_second": per_second,
                **more,
            }
            print(orjson.dumps(summary).decode())
            return
        for name, count in self._counts(verb):
            print(f"{name:<24}{count:>12,}")
        for example in self.examples.values():
            print(f"for example {example}")
        quantities = "".join(f", {name.replace('_', ' ')} {value:g}" for name, value in more.items())
        print(f"{elapsed_seconds:.1f} s, {per_second:,} events/s, {resent} requests posted again{quantities}")
        print(self._verdict(verb))

    def _counts(self, verb: str) -> Iterator[tuple[str, int]]:
        yield from ((verb, self.read), ("accepted", self.accepted), ("duplicates", self.duplicates))
        yield "rejected", self.rejected.total()
        yield from ((f"  {reason}", count) for reason, count in self.rejected.most_common())
        if self.undelivered:
            yield "undelivered", self.undelivered

    def _verdict(self, verb: str) -> str:
        if self.failure:
            again = "; run it again: events with ids never count twice" if self.undelivered else ""
            return f"Not complete: {self.failure}{again}"
        if not self.balances:
            return f"The books do not balance: {verb} is not accepted + duplicates + rejected"
        return f"The books balance: {verb} = accepted + duplicates + rejected"
