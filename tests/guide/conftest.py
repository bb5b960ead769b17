"""A viewer whose events go to the model and to Redis alike, so that each example holds for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.events.event import Event
from service.rules.constants import Constants
from service.rules.model import Model, Outcome
from tests.lua.book import apply, book_of_model, book_of_redis, cells_of
from tests.opening import open_partitions

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from service.rules.model import Pair

NOON_US = 1_790_000_000_000_000
SECOND_US = 1_000_000


class Viewer:
    """Ann, who watches Dune. Positions and times are given in seconds; times count from noon."""

    def __init__(self, redis: Redis, partition: int = 0) -> None:
        self._redis = redis
        self._partition = partition
        self._model = Model(Constants())

    async def sends(
        self,
        kind: str,
        at: float,
        *,
        time: float = 0,
        happened: float | None = None,
        start: float | None = None,
        segments: tuple[tuple[float, float], ...] = (),
        speed: float | None = None,
        session: str = "",
        seq: int | None = None,
        identity: str | None = None,
        user: str = "ann",
        slug: str = "dune",
    ) -> Outcome:
        """An event received at `time`; `happened` is its own time where the client tells it (`ts`)."""
        event = Event(
            user,
            slug,
            kind,
            round(at * 1000),
            NOON_US + round((time if happened is None else happened) * SECOND_US),
            NOON_US + round(time * SECOND_US),
            happened is not None,
            session,
            seq,
            identity,
            None if start is None else round(start * 1000),
            None if speed is None else round(speed * 1000),
            tuple((round(a * 1000), round(b * 1000)) for a, b in segments),
        )
        outcome = self._model.apply(event)
        (said,) = await apply(self._redis, self._partition, [event], self._model.constants)
        excess = f"!{outcome.implausible_ms}" if outcome.implausible_ms else ""
        assert said == ("D" if outcome.duplicate else f"{outcome.credited_ms}{excess}")
        return outcome

    async def pair(self, user: str = "ann", slug: str = "dune") -> Pair:
        """The pair in the model, once it is sure that Redis holds the same."""
        in_redis = await book_of_redis(self._redis, self._partition, self._model, 0)
        assert in_redis == book_of_model(self._model, 0)
        return self._model.pairs[user, slug]

    async def seen(self) -> frozenset[int]:
        """The seconds that the pair covers."""
        return cells_of((await self.pair()).seen)

    @property
    def model(self) -> Model:
        return self._model


@pytest.fixture
async def viewer(redis: Redis) -> Viewer:
    await open_partitions(redis, 0)
    return Viewer(redis)
