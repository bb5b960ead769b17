"""What things take in Valkey: the growth of `used_memory`, divided by how many came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis import Redis

from loadtests.bench.audience import Moment
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.scenarios.batches import BATCH_EVENTS
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.turns import Player, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.bench.laboratory import Laboratory

USERS = 5000
HOUR_USERS = 2000
HOUR_HEARTBEATS = 360
HOUR_BYTES_AIM = 700


def memory(laboratory: Laboratory) -> Result:
    """Bytes a user, pair, session and remembered id, and those of an hour of heartbeats."""
    result = Result()
    with laboratory.running(Playhead) as systems:
        scale = _Scale(laboratory, systems["playhead"])
        users = [f"viewer-{number:05}" for number in range(USERS)]
        steps = {
            "a user with one movie, one heartbeat": _each(users, "movie-00001"),
            "another movie of the user": _each(users, "movie-00002"),
            "another session of a pair": _each(users, "movie-00001", session="a-session-of-16c"),
            "a user's first remembered id, of 36 characters": _each(users, "movie-00001", id="1" * 36),
            "each further id": _each(users, "movie-00001", id="2" * 36),
        }
        for name, moments in steps.items():
            result.add(f"memory: {name}", scale.weigh(moments, USERS), "bytes")
        new = [f"hourly-{number:05}" for number in range(HOUR_USERS)]
        known = users[:HOUR_USERS]
        for name, viewers in (("a user with one movie", new), ("another movie of a user", known)):
            bytes_each = scale.weigh(_hour(viewers), HOUR_USERS)
            title = f"memory: {name}, an hour in heartbeats"
            result.add(title, bytes_each, "bytes", aim=HOUR_BYTES_AIM, is_upper=True)
        result.imbalances = imbalances(scale.player)
    return result


class _Scale:
    """Weighs what events add, once they have left the streams."""

    def __init__(self, laboratory: Laboratory, system: Any) -> None:
        self._laboratory = laboratory
        self.player = Player(system, iter(()), BATCH_EVENTS)
        self._redis = Redis.from_url(system.redis_url)

    def weigh(self, moments: Sequence[Moment], count: int) -> float:
        before = self._used_bytes()
        self.player.story = iter(moments)
        load(self.player, self._laboratory.folder, len(moments) // BATCH_EVENTS, connections=1)
        return (self._used_bytes() - before) / count

    def _used_bytes(self) -> int:
        """Without what is only on its way: buffers of clients, and of the append-only file."""
        told: Any = self._redis.info("memory")
        return int(told["used_memory"] - told["mem_clients_normal"] - told["mem_aof_buffer"])


def _each(users: Sequence[str], slug: str, session: str = "", id: str = "") -> list[Moment]:  # noqa: A002 - as it is called
    """One heartbeat each. An id is a user's own, so all may have the same."""
    return [Moment(user, slug, session, 0, "heartbeat", 10_000, id=id) for user in users]


def _hour(users: Sequence[str]) -> list[Moment]:
    """In rounds, as it happens; each in a session, with `seq`."""
    return [
        Moment(user, "movie-00009", "a-session-of-16c", number, "heartbeat", 10_000 * number)
        for number in range(1, HOUR_HEARTBEATS + 1)
        for user in users
    ]
