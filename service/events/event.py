"""An event as the rules see it: names checked, times and positions in integers."""

from __future__ import annotations

from typing import Final, NamedTuple

KINDS: Final = ("heartbeat", "segment", "play", "pause", "end", "seek", "rate", "claim", "mark", "load")
"""Event kinds (design 2). Their order is their number in packed runs: only ever append."""

CUT: Final = "cut"
"""Of no client's event: from here on what is played counts in the pair's next scope (`service.rules.model.Pair`)."""


class Event(NamedTuple):
    """One event of one user on one movie. Positions in ms, speeds in thousandths, times in us since 1970 UTC.

    `speed`, `from_ms`, `duration_ms`, `seq` and `id` are None where the client gave none. `session` is "" for the
    nameless session. `timed` says that the client gave `ts`; `time_us` is then that time, corrected, and never later
    than `received_us`.
    """

    user: str
    slug: str
    kind: str
    at_ms: int
    time_us: int
    received_us: int
    timed: bool = False
    session: str = ""
    seq: int | None = None
    id: str | None = None
    from_ms: int | None = None
    speed: int | None = None
    segments: tuple[tuple[int, int], ...] = ()
    duration_ms: int | None = None
