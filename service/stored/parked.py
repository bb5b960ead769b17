"""What parked entries hold: the raw events that Postgres has, but not as rows."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING

from service.counters import outcomes, packing
from service.db.history import StoredEvent
from service.db.records import START

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.db.history import History
    from service.db.parking import ParkedEntry, Parking
    from service.db.records import EntryId
    from service.events.event import Event


async def raw_events(
    history: History, partition: int, names: Collection[str], after: EntryId, upto: EntryId
) -> list[StoredEvent]:
    """The raw events of these users in (after, upto], rows and parked ones, in the order in which they were applied."""
    rows = await history.events(partition, names, after, upto)
    wanted = set(names)
    parked = [
        StoredEvent(one.entry, event)
        for one in await history.parking.entries(partition, after, upto)
        for event in events_in(one)
        if event.user in wanted
    ]
    return list(merge(rows, parked, key=lambda stored: stored.entry)) if parked else rows


async def parked_ids(history: History, names: Collection[str], since_us: int) -> list[tuple[str, str, int]]:
    """As `History.ids`, of the parked events."""
    wanted = set(names)
    return [
        (event.user, event.id, event.received_us)
        for one in await history.parking.entries()
        for event in events_in(one)
        if event.id is not None and event.user in wanted and event.received_us > since_us
    ]


async def parked_changes(
    parking: Parking, partition: int, after: EntryId = START
) -> dict[tuple[str, str], set[str]]:
    """The pairs (user, slug) that parked events after this entry changed, and of each the sessions."""
    changed: dict[tuple[str, str], set[str]] = {}
    for one in await parking.entries(partition, after):
        for event in events_in(one):
            changed.setdefault((event.user, event.slug), set()).add(event.session)
    return changed


def events_in(one: ParkedEntry) -> list[Event]:
    """Those that counted; none of an entry that can't be read."""
    return [event for event, outcome in _read(one) if outcome not in outcomes.UNCOUNTED]


def without(one: ParkedEntry, name: str) -> ParkedEntry | None:
    """The entry without the events of a user; None if none is left. One that can't be read stays as it is."""
    read = _read(one)
    kept = [(event, outcome) for event, outcome in read if event.user != name]
    if len(kept) == len(read):
        return one
    if not kept:
        return None
    run = packing.pack(event for event, _ in kept)
    said = b",".join(outcome for _, outcome in kept)
    return one._replace(run=run, outcomes=said, events=outcomes.counted(said))


def _read(one: ParkedEntry) -> list[tuple[Event, bytes]]:
    if one.outcomes == outcomes.ERASURE:
        return []
    try:
        return list(zip(packing.unpack(one.run), outcomes.split(one.outcomes), strict=True))
    except Exception:  # whatever a stranger wrote into the stream
        return []
