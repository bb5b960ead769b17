"""A person can be erased everywhere, also when something fails in between, and the movies lose their share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.counters import keys
from service.counters.erasing import Absent, erase
from service.counters.reader import Reader
from service.db.records import EntryId
from service.errors import NotFound
from service.stored.reads import StoredReads
from tests.integration.ledgers import book_of_postgres, expected_of
from tests.integration.town import PARTITION
from workers import parking

if TYPE_CHECKING:
    from tests.integration.town import Town


async def traces(town: Town, name: str) -> dict[str, int]:
    """Where the name is still found, and how often."""
    in_redis = 0
    for key in await town.redis.keys("*"):
        dumped = await town.redis.dump(key) or b""
        in_redis += name.encode() in key or name.encode() in dumped
    found = {"redis": in_redis}
    for table in ("events", "users", "pairs", "scopes", "sessions"):
        found[table] = await town.history._pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE user_id = $1", name
        )
    return found


NOWHERE = {"redis": 0, "events": 0, "users": 0, "pairs": 0, "scopes": 0, "sessions": 0}


async def agree(town: Town) -> None:
    await town.check()
    async with town.history._pool.acquire() as connection:
        book = await book_of_postgres(connection)
    # A movie of whom all viewers were erased keeps an empty share, without anybody's name.
    book["movies"] = {slug: totals for slug, totals in book["movies"].items() if any(totals)}
    # Times are whole microseconds on these connections.
    assert {part: book[part] for part in ("users", "movies", "scopes", "sessions")} == {
        part: expected_of(town.model)[part] for part in ("users", "movies", "scopes", "sessions")
    }


async def test_an_erased_user_is_nowhere(town: Town) -> None:
    await town.send(100)
    await town.send(40, user="remove-me")
    await town.flush()
    before = town.model.users["remove-me"]
    cuts = sum(pair.scope for (user, _), pair in town.model.pairs.items() if user == "remove-me")
    erased = await town.erase("remove-me")
    assert erased.totals[:5] == (*totals_of(before), before.movies)
    assert erased.ids == len(before.ids)
    await town.flush()
    await town.redis.delete(*await town.redis.keys("{p0}:call:*"))
    assert await traces(town, "remove-me") == NOWHERE
    gone = await town.history.erasure(PARTITION, EntryId.parse(erased.entry))
    assert gone is not None
    assert gone[0] == before.totals.events + cuts
    assert gone[1] == before.movies
    await agree(town)


def totals_of(user: object) -> tuple[int, ...]:
    totals = user.totals  # type: ignore[attr-defined]
    return totals.watch_ms, totals.effective_ms, totals.unique_cells, totals.events


async def test_what_was_not_flushed_yet_is_erased_too(town: Town) -> None:
    await town.send(50)
    await town.send(40, user="remove-me")
    await town.erase("remove-me")
    await town.flush()
    await town.redis.delete(*await town.redis.keys("{p0}:call:*"))
    assert await traces(town, "remove-me") == NOWHERE
    await agree(town)


async def test_a_snapshot_keeps_nobody_who_is_being_erased(town: Town) -> None:
    """It is taken while Redis has an empty record in the place of the user, whose pairs wait for it."""
    await town.send(20, user="remove-me")
    await town.flusher.step()
    await town.erase("remove-me")
    await town.flush()
    await town.redis.delete(*await town.redis.keys("{p0}:call:*"))
    assert await traces(town, "remove-me") == NOWHERE


async def test_a_flusher_that_was_killed_before_the_snapshot_leaves_no_movie_as_it_was(town: Town) -> None:
    await town.send(20, user="ann")
    await town.send(20, user="bob")
    await town.flush()
    await town.erase("ann")
    await town.flusher.step()
    town.restart()
    await town.flush()
    await agree(town)


async def test_a_snapshot_that_was_refused_leaves_no_movie_as_it_was(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "REFUSED_SECONDS", 0.0)
    await town.send(20, user="ann")
    await town.send(20, user="bob")
    await town.flush()
    await town.erase("ann")
    await town.flusher.step()
    pool = town.history._pool
    await pool.execute("ALTER TABLE movie_shares ADD CONSTRAINT refused CHECK (events < 0) NOT VALID")
    await town.flusher.step()
    await pool.execute("ALTER TABLE movie_shares DROP CONSTRAINT refused")
    await town.flush()
    await agree(town)


async def test_who_comes_back_begins_anew(town: Town) -> None:
    await town.send(40, user="ann")
    await town.flush()
    await town.erase("ann")
    await town.send(10, user="ann")
    await town.flush()
    await town.send(10, user="ann")
    await town.flush()
    await agree(town)


async def test_an_evicted_user_is_brought_back_to_be_erased(town: Town) -> None:
    await town.send(40, user="ann")
    await town.send(40, user="bob")
    await town.flush()
    await town.evict()
    with pytest.raises(Absent):
        await erase(town.redis, PARTITION, "ann")
    await town.admission.admit(PARTITION, ["ann"])
    await town.erase("ann")
    await town.flush()
    await agree(town)


async def test_an_event_before_postgres_knows_does_not_bring_the_old_self_back(town: Town) -> None:
    await town.send(40, user="ann")
    await town.send(4, user="bob")
    await town.flush()
    await town.evict()
    await town.admission.admit(PARTITION, ["ann"])
    await town.erase("ann")
    await town.admission.admit(PARTITION, ["ann"])
    await town.send(5, user="ann")
    await town.flush()
    await town.evict()
    await agree(town)


async def test_nobody_erased_is_read(town: Town) -> None:
    reader = Reader(town.redis, 1, StoredReads(town.history))
    await town.send(5, user="ann")
    await town.flush()
    slug = next(iter(town.model.movies))
    await town.erase("ann")
    for _ in range(2):
        for read in (
            reader.user("ann"),
            reader.pair("ann", slug),
            reader.recent_pairs("ann", 5, None),
            reader.movie(slug),
        ):
            with pytest.raises(NotFound):
                await read
        with pytest.raises((NotFound, Absent)):
            await erase(town.redis, PARTITION, "ann")
        await town.flush()


async def test_a_flusher_that_was_killed_after_the_commit_goes_on(town: Town) -> None:
    """Postgres has erased, Redis still has the entry and the empty record."""
    await town.send(20, user="ann")
    await town.send(20, user="bob")
    await town.flush()
    await town.erase("ann")
    remembered = await town.remember()
    await town.flush()
    await town.go_back(remembered)
    town.restart()
    await town.flush()
    await agree(town)
    await town.evict()
    assert not await town.redis.exists(keys.user(PARTITION, "ann"))


async def test_a_redis_that_forgot_the_erasure_is_told_again(town: Town) -> None:
    await town.send(20, user="remove-me")
    await town.send(20, user="bob")
    await town.flush()
    remembered = await town.remember()
    await town.erase("remove-me")
    await town.send(3, user="bob")
    await town.flush()
    await town.go_back(remembered)
    await town.flush()
    await agree(town)
    await town.evict()
    await town.redis.delete(*await town.redis.keys("{p0}:call:*"))
    assert await traces(town, "remove-me") == NOWHERE


async def test_a_redis_that_went_back_before_postgres_erased_still_erases(town: Town) -> None:
    """The erasure waits in the stream while older events are lost: it is appended anew."""
    await town.send(20, user="ann")
    await town.send(20, user="bob")
    await town.flush()
    remembered = await town.remember()
    await town.send(3, user="bob")
    await town.flush()
    await town.go_back(remembered)
    await town.redis.hset(keys.log(PARTITION), "open", "1")
    await town.erase("ann")
    await town.flush()
    await agree(town)


async def test_an_emptied_redis_does_not_bring_anybody_back(town: Town) -> None:
    await town.send(20, user="ann")
    await town.send(20, user="bob")
    await town.flush()
    await town.erase("ann")
    await town.flush()
    await town.redis.flushall()
    town.restart()
    await town.flush()
    await agree(town)
    with pytest.raises(NotFound):
        await Reader(town.redis, 1, StoredReads(town.history)).user("ann")
