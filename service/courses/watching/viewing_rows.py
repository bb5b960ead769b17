"""Viewings in Postgres, read and written many at once, inside the transaction of whoever follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.counters.coverage import bitmap_of, seen_of
from service.courses.queries import query
from service.courses.watching.parallel import Hour
from service.courses.watching.viewing import AtSpeed, Flag, Key, Viewing
from service.db.digests import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from service.courses.watching.parallel import Playing
    from service.courses.watching.viewing import Viewings
    from service.db.connections import Connection


async def read_viewings(connection: Connection, keys: Collection[Key]) -> list[tuple[Key, Viewing]]:
    """All of the same sessions, in whichever scope; those asked for with their speeds and flags."""
    sessions = sorted({key[:3] for key in keys})
    found = {
        Key(row["user_id"], row["slug"], row["session"], row["scope"]): Viewing(
            row["first_at"],
            row["last_at"],
            row["speed"],
            row["events"],
            row["watch_ms"],
            row["effective_ms"],
            row["implausible_ms"],
            seen_of(row["seen"]),
            judged_ms=row["judged_ms"],
            excess_ms=row["excess_ms"],
            since_us=row["since_at"],
        )
        for row in await connection.fetch(
            query("select_session_viewings"),
            [user for user, _, _ in sessions],
            [digest(slug) for _, slug, _ in sessions],
            [digest(slug, session) for _, slug, session in sessions],
        )
    }
    await _read_parts(connection, [(key, found[key]) for key in keys if key in found])
    return list(found.items())


async def _read_parts(connection: Connection, viewings: Sequence[tuple[Key, Viewing]]) -> None:
    if not viewings:
        return
    asked = [*_columns(named(key) for key, _ in viewings), list(range(len(viewings)))]
    for row in await connection.fetch(query("select_viewing_speeds"), *asked):
        at_speed = AtSpeed(row["watch_ms"], row["effective_ms"], seen_of(row["seen"]))
        viewings[row["place"]][1].speeds[row["speed"]] = at_speed
    for row in await connection.fetch(query("select_viewing_flags"), *asked):
        viewings[row["place"]][1].flags[row["reason"]] = Flag(row["implausible_ms"], seen_of(row["seen"]))


async def read_hours(connection: Connection, hours: Collection[Hour]) -> dict[Hour, dict[bytes, int]]:
    found: dict[Hour, dict[bytes, int]] = {}
    if hours:
        for row in await connection.fetch(query("select_playing_hours"), *_columns(hours)):
            playing = found.setdefault(Hour(row["user_id"], row["hour"]), {})
            playing[row["name_digest"]] = seen_of(row["seconds"])
    return found


async def write_viewings(connection: Connection, viewings: Viewings) -> None:
    """Those that changed, in the order of their names."""
    changed = [(key, named(key), viewings.all[key]) for key in sorted(viewings.changed)]
    await _write(
        connection,
        "upsert_viewings",
        [
            (
                *name,
                key.slug,
                key.session,
                one.first_us,
                one.last_us,
                one.events,
                one.watch_ms,
                one.effective_ms,
                one.implausible_ms,
                bitmap_of(one.seen),
                bitmap_of(one.flagged),
                one.speed,
                one.judged_ms,
                one.excess_ms,
                one.since_us,
            )
            for key, name, one in changed
        ],
    )
    await _write(
        connection,
        "upsert_viewing_speeds",
        [
            (*name, speed, at.watch_ms, at.effective_ms, bitmap_of(at.seen))
            for _, name, one in changed
            for speed, at in one.speeds.items()
        ],
    )
    await _write(
        connection,
        "upsert_viewing_flags",
        [
            (*name, reason, flag.implausible_ms, bitmap_of(flag.seen))
            for _, name, one in changed
            for reason, flag in one.flags.items()
        ],
    )


async def write_hours(connection: Connection, playing: Playing) -> None:
    changed: Mapping[Any, Any] = playing.hours
    await _write(
        connection,
        "upsert_playing_hours",
        [(*hour, session, bitmap_of(changed[hour][session])) for hour, session in sorted(playing.changed)],
    )


def named(key: Key) -> tuple[str, bytes, int, bytes]:
    """What names a viewing in its tables."""
    return key.user, digest(key.slug), key.scope, digest(key.slug, key.session)


def _columns(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _write(connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await connection.execute(query(statement), *_columns(rows))
