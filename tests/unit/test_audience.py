"""The simulated audience: it repeats by its seed, and its players say only what real ones could."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice, pairwise
from typing import Any

import orjson

from service.cli.audience import WAIT_SECONDS_MEAN, Moment, Program, audience
from service.events.decode import decode_body
from service.events.event import Event
from service.rules.model import Model

RECEIVED_US = 1_700_000_000_000_000


def moments(count: int, viewers: int = 50, movies: int = 20, seed: int = 1) -> list[Moment]:
    return list(islice(audience(viewers, movies, seed), count))


def first_sendings(seen: list[Moment]) -> dict[Any, list[dict[str, Any]]]:
    """Events by session, without those that a player sent twice."""
    sessions: dict[Any, dict[Any, dict[str, Any]]] = defaultdict(dict)
    for moment in seen:
        sessions[moment.event["session"]].setdefault(moment.event["seq"], moment.event)
    return {session: list(events.values()) for session, events in sessions.items()}


def test_the_same_seed_makes_the_same_audience_and_another_seed_another() -> None:
    assert moments(5000) == moments(5000)
    assert moments(100, seed=1) != moments(100, seed=2)


def test_moments_come_in_the_order_of_time() -> None:
    assert all(before.at_ms <= after.at_ms for before, after in pairwise(moments(5000)))


def test_positions_stay_within_the_movie() -> None:
    durations_ms = {movie.slug: movie.duration_ms for movie in Program.of(20).movies}
    for moment in moments(20_000):
        event: dict[str, Any] = moment.event
        end_seconds = durations_ms[event["slug"]] / 1000
        assert 0 <= event["at"] <= end_seconds
        assert 0 <= event.get("from", 0) <= end_seconds


def test_seq_counts_up_from_1_in_every_session() -> None:
    for events in first_sendings(moments(20_000)).values():
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_a_session_is_one_playback_of_one_movie_by_one_user() -> None:
    for events in first_sendings(moments(20_000)).values():
        assert len({(event["user"], event["slug"]) for event in events}) == 1
        assert [event["kind"] for event in events].count("load") == 1
        assert events[0]["kind"] == "load"


def test_steady_heartbeats_advance_by_ten_seconds_of_wall_time_at_the_speed() -> None:
    for events in first_sendings(moments(20_000)).values():
        speed = 1.0
        for before, event in pairwise(events):
            speed = before.get("speed", speed)
            if event["kind"] == "heartbeat" and before["kind"] != "load":
                assert round(event["at"] - before["at"], 3) == round(10 * speed, 3)


def test_people_do_all_that_people_do_and_come_back_to_where_they_left() -> None:
    seen = moments(20_000)
    kinds = Counter(moment.event["kind"] for moment in seen)
    assert set(kinds) == {"load", "play", "heartbeat", "pause", "seek", "rate", "end"}
    assert kinds["heartbeat"] > len(seen) / 2
    starts: list[Any] = [events[1]["at"] for events in first_sendings(seen).values() if len(events) > 1]
    assert 0 < sum(start > 0 for start in starts) < len(starts)


def test_a_few_movies_are_hot() -> None:
    watched = Counter(moment.event["slug"] for moment in moments(50_000, viewers=500, movies=50))
    hottest, *rest = [count for _, count in watched.most_common()]
    assert hottest > 5 * rest[len(rest) // 2]


def test_some_events_carry_ids_and_some_are_sent_twice() -> None:
    seen = moments(20_000)
    with_ids = sum("id" in moment.event for moment in seen)
    assert 0.1 < with_ids / len(seen) < 0.6
    distinct = {(moment.event["session"], moment.event["seq"]) for moment in seen}
    assert 0.99 < len(distinct) / len(seen) < 1


def test_the_average_wait_is_what_simulate_reckons_with() -> None:
    seen = moments(50_000, viewers=100)
    assert abs(seen[-1].at_ms / 1000 * 100 / len(seen) / WAIT_SECONDS_MEAN - 1) < 0.1


def test_playhead_counts_exactly_the_first_sending_of_each_event() -> None:
    seen = moments(5000)
    events = [moment.event | {"ts": 1_600_000_000 + moment.at_ms / 1000} for moment in seen]
    decoded, _ = decode_body(orjson.dumps(events), RECEIVED_US)
    model = Model()
    outcomes = [model.apply(event) for event in decoded if isinstance(event, Event)]
    assert len(outcomes) == len(seen)
    accepted = sum(not outcome.duplicate for outcome in outcomes)
    assert accepted == sum(len(sent) for sent in first_sendings(seen).values())
    assert sum(pair.implausible_ms for pair in model.pairs.values()) == 0
