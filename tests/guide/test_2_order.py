"""Order, clocks and retries: what late, repeated and impossible events do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.rules.model import Outcome

if TYPE_CHECKING:
    from tests.guide.conftest import Viewer

DUPLICATE = Outcome(duplicate=True)
DAY = 86_400


async def test_a_late_report_never_overwrites_a_newer_position(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 300, time=300, happened=300)
    await viewer.sends("heartbeat", 100, time=301, happened=100)
    assert (await viewer.pair()).latest_ms == 300_000


async def test_what_is_not_older_moves_the_position(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 300, time=300)
    await viewer.sends("heartbeat", 100, time=300)
    assert (await viewer.pair()).latest_ms == 100_000


async def test_a_late_heartbeat_pairs_with_nothing_and_counts_nothing(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 300, time=300, happened=300)
    late = await viewer.sends("heartbeat", 290, time=301, happened=290)
    on_time = await viewer.sends("heartbeat", 310, time=310, happened=310)
    assert (late.credited_ms, on_time.credited_ms) == (0, 10_000)


async def test_a_late_segment_still_counts(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 300, time=300, happened=300)
    late = await viewer.sends("segment", 20, start=10, time=301, happened=20)
    assert late.credited_ms == 10_000


async def test_an_id_counts_once_within_its_window(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10, identity="a")
    assert await viewer.sends("heartbeat", 999, identity="a", time=DAY - 1) == DUPLICATE
    pair = await viewer.pair()
    assert (pair.totals.events, pair.latest_ms) == (1, 10_000)


async def test_an_id_counts_again_after_its_window(viewer: Viewer) -> None:
    await viewer.sends("segment", 10, start=0, identity="a")
    again = await viewer.sends("segment", 10, start=0, identity="a", time=DAY)
    assert again.credited_ms == 10_000


async def test_ids_are_a_users_own(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10, identity="a")
    assert not (await viewer.sends("heartbeat", 10, identity="a", user="bob")).duplicate
    assert (await viewer.sends("heartbeat", 10, identity="a", slug="solaris")).duplicate


async def test_a_seq_counts_once_within_its_session(viewer: Viewer) -> None:
    await viewer.sends("heartbeat", 10, session="s", seq=1)
    assert await viewer.sends("heartbeat", 20, session="s", seq=1) == DUPLICATE
    assert not (await viewer.sends("heartbeat", 20, session="t", seq=1)).duplicate


async def test_seqs_may_arrive_in_any_order_within_the_window(viewer: Viewer) -> None:
    for seq in (1024, 1, 500):
        assert not (await viewer.sends("segment", 1, start=0, seq=seq)).duplicate
    for seq in (1, 500, 1024):
        assert (await viewer.sends("segment", 1, start=0, seq=seq)).duplicate


async def test_a_seq_older_than_the_window_has_passed(viewer: Viewer) -> None:
    await viewer.sends("segment", 1, start=0, seq=1025)
    assert (await viewer.sends("segment", 1, start=0, seq=1)).duplicate
    assert not (await viewer.sends("segment", 1, start=0, seq=2)).duplicate


async def test_more_than_the_clock_allows_counts_and_is_flagged(viewer: Viewer) -> None:
    """30 s after `play` at normal speed, with 10 s of tolerance, 40 s are believed."""
    await viewer.sends("play", 0)
    outcome = await viewer.sends("pause", 100, time=30)
    assert (outcome.credited_ms, outcome.implausible_ms) == (100_000, 60_000)
    assert (await viewer.pair()).implausible_ms == 60_000


async def test_speed_makes_more_plausible(viewer: Viewer) -> None:
    await viewer.sends("play", 0, speed=2)
    assert (await viewer.sends("pause", 70, time=30)).implausible_ms == 0


async def test_what_is_tested_is_the_increment_not_the_whole_claim(viewer: Viewer) -> None:
    await viewer.sends("claim", 1000, segments=((0, 1000),))
    outcome = await viewer.sends("claim", 1010, segments=((0, 1010),), time=10)
    assert (outcome.credited_ms, outcome.implausible_ms) == (10_000, 0)


async def test_a_bare_heartbeat_may_replay_history(viewer: Viewer) -> None:
    for at in range(0, 600, 30):
        assert (await viewer.sends("heartbeat", at)).implausible_ms == 0
    await viewer.sends("heartbeat", 570, time=1, happened=1)
    assert (await viewer.sends("heartbeat", 600, time=2, happened=2)).implausible_ms == 19_000


async def test_a_mark_does_not_shorten_the_time_that_was_played(viewer: Viewer) -> None:
    await viewer.sends("play", 0)
    await viewer.sends("mark", 299, time=299)
    assert (await viewer.sends("pause", 300, time=300)).implausible_ms == 0
