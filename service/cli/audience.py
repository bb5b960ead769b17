"""A believable audience: who starts, pauses, rewatches and leaves which movie, and what players say of it.

Pure and seeded: the same seed gives the same moments. Time is the audience's own, in ms since its beginning.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARTBEAT_MS = 10_000
"""Of wall time: how often a player says where it is (design 2)."""

SPEEDS_THOUSANDTHS = (750, 1000, 1000, 1250, 1500, 2000)
"""What players offer; 1 is chosen most."""

ARRIVAL_MS_MAX = 30_000
STRETCH_MS_MEAN, PAUSE_MS_MEAN, AWAY_MS_MEAN = 90_000, 30_000, 60_000
"""How long one watches before doing something, pauses, and is away between two movies."""

UNFINISHED_MAX = 5
"""Movies that a viewer remembers to come back to."""

SENT_TWICE_FRACTION = 0.005
"""Events that a player sends again, since it did not see the answer."""

WITH_IDS_FRACTION = 0.3
"""Viewers whose player gives its events ids, beside `session` and `seq`."""

WAIT_SECONDS_MEAN = 11.0
"""From one event of a viewer to the next, in the long run: measured."""

_ADJECTIVES = (
    "quiet",
    "amber",
    "broken",
    "distant",
    "golden",
    "hidden",
    "paper",
    "silver",
    "burning",
    "winter",
)
_NOUNS = ("harbor", "orchard", "engine", "signal", "river", "archive", "lantern", "meadow", "comet", "stair")

Said = tuple[int, dict[str, object]]
"""How many ms a player waited, and the event that it then sends."""

Story = Generator[Said, None, None]


class Movie(NamedTuple):
    slug: str
    duration_ms: int


class Moment(NamedTuple):
    """An event, without `ts`, and when it happens: in ms since the audience's beginning."""

    at_ms: int
    viewer: int
    event: dict[str, object]


def audience(viewers: int, movies: int, seed: int) -> Iterator[Moment]:
    """What all players say, in the order of time, without end."""
    random = Random(seed)  # noqa: S311 - it has to repeat, and keeps no secret
    program = Program.of(movies)
    stories = [Viewer(number, seed, random, program).story() for number in range(viewers)]
    due = [Moment(random.randrange(ARRIVAL_MS_MAX), n, next(story)[1]) for n, story in enumerate(stories)]
    heapify(due)
    while due:
        moment = due[0]
        yield moment
        wait_ms, event = next(stories[moment.viewer])
        heapreplace(due, Moment(moment.at_ms + wait_ms, moment.viewer, event))


@dataclass(slots=True)
class Program:
    """The movies to choose from, hottest first: the n-th is chosen an n-th as often as the first (Zipf)."""

    movies: list[Movie]
    weights: list[float]

    @classmethod
    def of(cls, movies: int) -> Program:
        """Always the same movies, whatever the seed: a movie has one duration."""
        weights = accumulate(1 / (rank + 1) for rank in range(movies))
        return cls([_movie(number) for number in range(movies)], list(weights))

    def choose(self, random: Random) -> Movie:
        return random.choices(self.movies, cum_weights=self.weights)[0]


@dataclass(slots=True)
class Player:
    """One playback of one movie. `position_ms` never passes the movie's end, `seq` rises with each event."""

    user: str
    movie: Movie
    session: str
    with_ids: bool
    position_ms: int
    speed_thousandths: int = 1000
    seq: int = 0

    @property
    def is_at_end(self) -> bool:
        return self.position_ms >= self.movie.duration_ms

    @property
    def left_ms(self) -> int:
        """Wall time until the end, at this speed."""
        return -(-(self.movie.duration_ms - self.position_ms) * 1000 // self.speed_thousandths)

    def play(self, wall_ms: int) -> None:
        played_ms = wall_ms * self.speed_thousandths // 1000
        self.position_ms = min(self.movie.duration_ms, self.position_ms + played_ms)

    def say(self, kind: str, **more: object) -> dict[str, object]:
        """The event of this kind, here and now."""
        self.seq += 1
        event = {"user": self.user, "slug": self.movie.slug, "at": self.position_ms / 1000, "kind": kind}
        event |= {"session": self.session, "seq": self.seq, **more}
        return event | {"id": f"{self.session}.{self.seq}"} if self.with_ids else event


@dataclass(slots=True)
class Viewer:
    """One person, who watches one movie after another and comes back to what was left unfinished."""

    number: int
    seed: int
    random: Random
    program: Program
    unfinished: dict[Movie, int] = field(default_factory=dict)
    sessions: int = 0

    def story(self) -> Story:
        """All that this viewer's players ever say."""
        with_ids = self.random.random() < WITH_IDS_FRACTION
        while True:
            player = self._open(with_ids)
            away_ms = self._around(AWAY_MS_MEAN) if self.sessions > 1 else 0
            for wait_ms, event in self._watch(player):
                yield away_ms + wait_ms, event
                away_ms = 0
                if self.random.random() < SENT_TWICE_FRACTION:
                    yield 1000, event
            self._remember(player)

    def _open(self, with_ids: bool) -> Player:
        """The next movie: half the time one of those left unfinished, where it was left."""
        self.sessions += 1
        if self.unfinished and self.random.random() < 0.5:
            movie = self.random.choice(list(self.unfinished))
        else:
            movie = self.program.choose(self.random)
        session = f"{self.seed:x}-{self.number}-{self.sessions}"
        return Player(f"viewer-{self.number:04}", movie, session, with_ids, self.unfinished.pop(movie, 0))

    def _remember(self, player: Player) -> None:
        if not player.is_at_end:
            self.unfinished[player.movie] = player.position_ms
        if len(self.unfinished) > UNFINISHED_MAX:
            del self.unfinished[next(iter(self.unfinished))]

    def _watch(self, player: Player) -> Story:
        """One playback, until its viewer leaves or the movie is over."""
        yield 0, player.say("load", at=0, duration=player.movie.duration_ms / 1000)
        yield self._around(1500), player.say("play")
        while True:
            waited_ms = yield from _stretch(player, self._around(STRETCH_MS_MEAN))
            if player.is_at_end:
                yield waited_ms, player.say("end")
                if self.random.random() > 0.1:
                    return
                player.position_ms = 0
                yield self._around(3000), player.say("play")
            elif (yield from self._act(player, waited_ms)):
                return

    def _act(self, player: Player, waited_ms: int) -> Generator[Said, None, bool]:
        """What a viewer does in the middle of a movie; True for leaving it."""
        action = self.random.choices(("pause", "skip", "rewind", "rate", "leave"), (30, 20, 20, 15, 15))[0]
        match action:
            case "pause":
                yield waited_ms, player.say("pause")
                yield self._around(PAUSE_MS_MEAN), player.say("play")
            case "skip":
                yield (
                    waited_ms,
                    self._seek(player, self.random.randint(player.position_ms, player.movie.duration_ms)),
                )
            case "rewind":
                back_ms = self.random.randint(5_000, 60_000)
                yield waited_ms, self._seek(player, max(0, player.position_ms - back_ms))
            case "rate":
                player.speed_thousandths = self.random.choice(SPEEDS_THOUSANDTHS)
                yield waited_ms, player.say("rate", speed=player.speed_thousandths / 1000)
            case _ if self.random.random() < 0.7:
                yield waited_ms, player.say("pause")
        return action == "leave"

    @staticmethod
    def _seek(player: Player, target_ms: int) -> dict[str, object]:
        start_ms, player.position_ms = player.position_ms, target_ms
        return player.say("seek", **{"from": start_ms / 1000})

    def _around(self, mean_ms: int) -> int:
        """A length of time as people take it: mostly short, sometimes long, never nothing."""
        return 200 + round(self.random.expovariate(1 / mean_ms))


def _stretch(player: Player, wall_ms: int) -> Generator[Said, None, int]:
    """Undisturbed playing, with heartbeats; what passed since the last one is returned, in ms."""
    left_ms = min(wall_ms, player.left_ms)
    while left_ms > HEARTBEAT_MS:
        left_ms -= HEARTBEAT_MS
        player.play(HEARTBEAT_MS)
        yield HEARTBEAT_MS, player.say("heartbeat")
    player.play(left_ms)
    return left_ms


def _movie(number: int) -> Movie:
    """From 3 to 120 minutes. Its name tells its number, so that hot ones are easy to find."""
    random = Random(number)  # noqa: S311
    adjective, noun = random.choice(_ADJECTIVES), random.choice(_NOUNS)
    return Movie(f"{adjective}-{noun}-{number:03}", random.randint(180, 7200) * 1000)
