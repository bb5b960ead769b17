"""What each kind of event counts. Read it from the top: it is the guide to section "Events" of the README."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.guide.conftest import Viewer


async def test_a_lone_heartbeat_is_worth_one_interval(viewer: Viewer) -> None:
    assert (await viewer.sends("heartbeat", 4500)).credited_ms == 10_000
    assert await viewer.seen() == set(range(4490, 4500))


async def test_a_heartbeat_near_the_start_is_cut_at_0(viewer: Viewer) -> None:
    assert (await viewer.sends("heartbeat", 4)).credited_ms == 4_000


async def test_steady_heartbeats_count_exactly(viewer: Viewer) -> None:
    for at in (10, 20, 30.5):
        await viewer.sends("heartbeat", at)
    pair = await viewer.pair()
    assert (pair.totals.watch_ms, pair.totals.unique_cells) == (30_500, 31)


async def test_a_lost_heartbeat_costs_nothing_within_the_gap(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10)
    assert (await viewer.sends("heartbeat", 40)).credited_ms == 30_000


async def test_past_the_gap_a_heartbeat_counts_as_a_lone_one(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10)
    assert (await viewer.sends("heartbeat", 40.001)).credited_ms == 10_000


async def test_a_heartbeat_that_jumped_back_counts_as_a_lone_one(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 100)
    assert (await viewer.sends("heartbeat", 99)).credited_ms == 10_000


async def test_a_heartbeat_that_did_not_move_counts_nothing(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 100)
    assert (await viewer.sends("heartbeat", 100)).credited_ms == 0


async def test_a_segment_counts_exactly_its_span_whatever_came_before(viewer: Viewer) -> None:
    await viewer.sends("play", 0)
    assert (await viewer.sends("segment", 107.5, start=100.25)).credited_ms == 7_250
    assert await viewer.seen() == set(range(100, 108))


async def test_a_segment_that_ends_before_it_starts_counts_nothing(viewer: Viewer) -> None:
    assert (await viewer.sends("segment", 5, start=10)).credited_ms == 0


async def test_play_then_pause_counts_what_lies_between(viewer: Viewer) -> None:
    assert (await viewer.sends("play", 10)).credited_ms == 0
    assert (await viewer.sends("pause", 22, time=12)).credited_ms == 12_000
    assert (await viewer.sends("pause", 25, time=15)).credited_ms == 0


async def test_seeking_while_playing_counts_up_to_the_jump_and_plays_on(viewer: Viewer) -> None:
    await viewer.sends("play", 10)
    assert (await viewer.sends("seek", 500, start=15, time=5)).credited_ms == 5_000
    assert (await viewer.sends("end", 503, time=8)).credited_ms == 3_000
    assert await viewer.seen() == {*range(10, 15), *range(500, 503)}


async def test_seeking_while_paused_stays_paused(viewer: Viewer) -> None:
    await viewer.sends("pause", 10)
    assert (await viewer.sends("seek", 500, start=10)).credited_ms == 0
    assert (await viewer.sends("pause", 505)).credited_ms == 0


async def test_rate_counts_what_came_before_at_the_old_speed(viewer: Viewer) -> None:
    await viewer.sends("play", 0)
    await viewer.sends("rate", 10, speed=2, time=10)
    await viewer.sends("pause", 30, time=20)
    totals = (await viewer.pair()).totals
    assert (totals.watch_ms, totals.effective_ms) == (30_000, 20_000)


async def test_claims_count_every_cell_and_only_what_is_new(viewer: Viewer) -> None:
    await viewer.sends("claim", 10, segments=((0, 10),))
    outcome = await viewer.sends("claim", 60, segments=((0, 10), (50, 60)))
    assert outcome.credited_ms == 10_000
    pair = await viewer.pair()
    assert (pair.totals.watch_ms, pair.totals.unique_cells) == (20_000, 20)


async def test_claims_are_right_in_any_order(viewer: Viewer) -> None:
    await viewer.sends("claim", 60, segments=((0, 10), (50, 60)), time=60, happened=60)
    late = await viewer.sends("claim", 10, segments=((0, 10),), time=61, happened=10)
    assert late.credited_ms == 0
    assert (await viewer.pair()).totals.watch_ms == 20_000


async def test_a_claim_knows_what_its_session_was_credited_with_otherwise(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10)
    assert (await viewer.sends("claim", 12, segments=((0, 12),))).credited_ms == 2_000


async def test_a_mark_counts_nothing_and_lets_the_session_play_on(viewer: Viewer) -> None:
    await viewer.sends("play", 0)
    assert (await viewer.sends("mark", 9, time=9)).credited_ms == 0
    assert (await viewer.sends("pause", 12, time=12)).credited_ms == 12_000


async def test_a_load_loses_nobodys_place(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 4500)
    await viewer.sends("load", 0, time=60)
    pair = await viewer.pair()
    assert (pair.latest_ms, pair.furthest_ms) == (4_500_000, 4_500_000)


async def test_a_span_marks_every_second_that_it_touches(viewer: Viewer) -> None:
    await viewer.sends("segment", 2.001, start=0.999)
    assert await viewer.seen() == {0, 1, 2}


async def test_verified_ends_at_the_first_hole(viewer: Viewer) -> None:
    await viewer.sends("segment", 10, start=0)
    await viewer.sends("segment", 30, start=20)
    assert (await viewer.pair()).verified_cells == 10
    await viewer.sends("segment", 20, start=10)
    assert (await viewer.pair()).verified_cells == 30


async def test_effective_time_is_rounded_half_up_per_span(viewer: Viewer) -> None:
    await viewer.sends("segment", 0.001, start=0, speed=2)
    await viewer.sends("segment", 0.001, start=0, speed=2.1)
    assert (await viewer.pair()).totals.effective_ms == 1 + 0
