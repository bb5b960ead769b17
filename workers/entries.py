"""Entries of a partition's stream, and the rows that they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from service.counters import keys, outcomes, packing, scripts
from service.counters.exchange import exchange
from service.db.records import EntryId
from service.errors import RedisUnavailable
from service.rules.model import FASTER_THAN_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from redis.asyncio import Redis

    from service.counters.cluster import Command
    from service.events.event import Event

Row = tuple[object, ...]
Changed = dict[tuple[str, str], set[str]]
"""The pairs (user, slug) that events changed, and of each the sessions."""

NOBODY = ""
"""In the place of a user, where only the movie is meant: no user is named so."""


class Entry(NamedTuple):
    """`appended` is how many events were ever appended to the partition, up to and with this entry."""

    id: EntryId
    run: bytes
    outcomes: bytes
    appended: int

    @property
    def counted(self) -> int:
        """Its events that counted: all but duplicates. An erasure is one."""
        return outcomes.counted(self.outcomes)

    @property
    def is_erasure(self) -> bool:
        return self.outcomes == outcomes.ERASURE

    @property
    def erased(self) -> str | None:
        """Whom the entry erased, if it is no run of events."""
        if not self.is_erasure:
            return None
        try:
            return next(iter(packing.read_names(self.run).users), None)
        except Exception:  # whatever a stranger wrote into the stream
            return None

    @classmethod
    def read(cls, entry_id: bytes, words: list[bytes]) -> Self:
        """Of the names of its fields, and what each holds, by turns.

        Of what a stranger wrote, what there is of it; an `appended` that is none never fits to the one before.
        """
        fields = dict(zip(words[::2], words[1::2], strict=True))
        appended = fields.get(b"appended", b"")
        return cls(
            EntryId.parse(entry_id),
            fields.get(b"run", b""),
            fields.get(b"outcomes", b""),
            int(appended) if appended.isdigit() else -1,
        )


async def read_entries(redis: Redis, after: Mapping[int, EntryId], count: int) -> dict[int, list[Entry]]:
    """Of each partition up to `count` entries after the given id, in one round trip. Raises RedisUnavailable."""
    commands: list[Command] = [
        (("XRANGE", stream, f"({entry_id}", "+", "COUNT", count), {"keys": [stream]})
        for stream, entry_id in zip(map(keys.stream, after), after.values(), strict=True)
    ]
    found: dict[int, list[Entry]] = {}
    for partition, reply in zip(after, await scripts.guarded(exchange(redis, commands)), strict=True):
        if isinstance(reply, Exception):
            raise RedisUnavailable(f"Redis did not answer: {reply}") from reply
        if reply:
            found[partition] = [Entry.read(entry_id, words) for entry_id, words in reply]
    return found


def events_of(entry: Entry) -> list[tuple[int, Event, bytes]]:
    """The events of an entry that counted, each with its place and its outcome."""
    if entry.is_erasure:
        return []
    said = zip(packing.unpack(entry.run), outcomes.split(entry.outcomes), strict=True)
    return [
        (ordinal, event, outcome)
        for ordinal, (event, outcome) in enumerate(said)
        if outcome not in outcomes.UNCOUNTED
    ]


def readable_events(entry: Entry) -> list[tuple[int, Event, bytes]]:
    """The same; none of an entry that a stranger wrote."""
    try:
        return events_of(entry)
    except Exception:  # whatever it is
        return []


def rows_of(partition: int, entry: Entry, changed: Changed) -> list[Row]:
    """The rows of an entry, in the order of `service.db.records.EVENT_COLUMNS`; adds to `changed` what they changed.

    Duplicates changed nothing and make no row. An erasure changed the movies of its user.

    This is the plain way, of entries that are parked; most go the way of `workers.copying`, which is held against it.
    """
    rows: list[Row] = []
    if entry.is_erasure:
        changed_by_erasure(entry, changed)
    for ordinal, event, outcome in events_of(entry):
        rows.append(_row(partition, entry.id, ordinal, event, outcome))
        changed.setdefault((event.user, event.slug), set()).add(event.session)
    return rows


def changed_by_erasure(entry: Entry, changed: Changed) -> None:
    """The movies of its user."""
    for pair in packing.read_names(entry.run).named_pairs():
        changed.setdefault(pair, set())


def movies_alone(slugs: Iterable[str]) -> Changed:
    """These movies as pairs of nobody."""
    return {(NOBODY, slug): set() for slug in slugs}


def add_changed(changed: Changed, more: Changed) -> None:
    """Sets of `more` may be in `changed` afterwards, and are not to be used otherwise."""
    for pair, sessions in more.items():
        known = changed.setdefault(pair, sessions)
        if known is not sessions:
            known |= sessions


def _row(partition: int, entry_id: EntryId, ordinal: int, event: Event, outcome: bytes) -> Row:
    # Taken apart at once: asking for each field by its name costs as much as all else here.
    (
        user, slug, kind, at_ms, time_us, received_us, timed, session,
        seq, identity, from_ms, speed, segments, duration_ms,
    ) = event  # fmt: skip
    credited_ms, implausible_ms, scope = outcomes.read(outcome)
    return (
        partition,
        entry_id[0],
        entry_id[1],
        ordinal,
        user,
        slug,
        session,
        kind,
        at_ms,
        from_ms,
        [end for span in segments for end in span] if kind == "claim" else None,
        speed,
        duration_ms,
        seq,
        identity,
        timed,
        time_us,
        received_us,
        credited_ms,
        implausible_ms,
        FASTER_THAN_CLOCK if implausible_ms else None,
        scope,
    )


async def trim(redis: Redis, committed: Mapping[int, EntryId]) -> None:
    """Remove from the streams what is committed, each up to and including the given id."""
    calls: list[scripts.Call] = [
        ("trim", [keys.stream(partition), keys.log(partition)], [f"{upto.ms}-{upto.seq + 1}"])
        for partition, upto in committed.items()
    ]
    for reply in await scripts.call(redis, calls):
        if isinstance(reply, Exception):
            raise reply
