"""The benchmark's arithmetic: percentiles, ratios, CPU by role, books; and what its viewers send."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import pytest

from loadtests.bench import page
from loadtests.bench.audience import as_json, audience, strangers
from loadtests.bench.books import differences
from loadtests.bench.figures import Figure
from loadtests.bench.generator import Connection, Job, Load, Outcome, read_requests, write_requests
from loadtests.bench.latencies import percentile, percentiles_ms
from loadtests.bench.plots import bars
from loadtests.bench.processor import ROLES, Process, cpu_by_role, difference
from loadtests.bench.scenarios.stream import frames
from loadtests.bench.systems.system import Counts, get
from loadtests.bench.turns import Player, Turn, paired, speed

if TYPE_CHECKING:
    from pathlib import Path

PROCESSES = [
    Process(1, 0, "init", 99.0),
    Process(10, 1, "/venv/bin/python /venv/bin/playhead serve", 1.0),
    Process(11, 10, "valkey-server *:0", 2.0),
    Process(12, 10, "/x/postgres -D data", 0.25),
    Process(13, 12, "walwriter", 0.5),
    Process(14, 10, "python -m workers.flushing abc", 4.0),
    Process(15, 10, "python -m workers.serving", 0.125),
    Process(16, 15, "python -m workers.serving", 8.0),
    Process(17, 15, "python -m workers.serving", 16.0),
    Process(20, 1, "python -m loadtests.bench.generator", 32.0),
    Process(30, 1, "valkey-server *:0", 64.0),
]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 1001)]
    assert [percentile(values, percent) for percent in (50, 99, 99.9, 100)] == [500, 990, 999, 1000]
    assert percentile([7.0], 50) == percentile([7.0], 99.9) == 7.0
    assert percentile([], 99) == 0.0


def test_percentiles_are_told_in_ms_whatever_the_order() -> None:
    assert percentiles_ms([0.003, 0.001, 0.002]) == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "p99.9": 3.0}


def test_processes_are_told_apart_and_those_of_others_left_out() -> None:
    assert cpu_by_role([10, 20], PROCESSES) == {
        "supervisor": 1.0,
        "valkey": 2.0,
        "postgres": 0.75,
        "flusher": 4.0,
        "arbiter": 0.125,
        "http": 24.0,
        "generator": 32.0,
    }


def test_what_is_used_is_the_difference_also_of_a_role_that_came_later() -> None:
    assert difference({"http": 1.5}, {"http": 2.0, "flusher": 0.25}) == {"http": 0.5, "flusher": 0.25}


def test_cost_and_speed_are_medians_and_the_generator_is_no_part_of_the_sum() -> None:
    player = _player(1000, 3000, 2000)
    assert player.events_per_second == 2000
    assert player.cpu_us_per_event() == {"generator": 500.0, "http": 1000.0, "valkey": 250.0, "all": 1250.0}


def test_a_ratio_is_that_of_neighbouring_turns() -> None:
    """What slows a whole round of turns leaves it as it is; the ratio of the medians would be another one."""
    ours, theirs = _player(1000, 100, 900), _player(2000, 200, 300)
    assert paired(ours, theirs, speed) == 0.5
    assert paired(ours, None, speed) is None


def test_books_name_every_difference_and_ask_nobody_for_what_it_does_not_keep() -> None:
    assert differences("playhead", 5, Counts(5, 5)) == []
    assert differences("webdis", 5, Counts(5, None)) == []
    assert differences("playhead", 5, Counts(6, 4)) == [
        "playhead acknowledged 5 events and counted 6",
        "playhead acknowledged 5 events and stored 4",
    ]


@pytest.mark.parametrize(("value", "holds"), [(1.0, True), (0.9, True), (1.1, False), (None, None)])
def test_an_upper_aim_holds_below_it(value: float | None, holds: bool | None) -> None:
    assert Figure("p99", value, aim=1.0, is_upper=True).holds is holds
    assert Figure("p99", value and 2 - value, aim=1.0).holds is holds


def test_viewers_go_forward_once_a_round_and_no_event_comes_twice() -> None:
    viewers = 200
    moments = list(islice(audience(viewers), viewers * 20))
    assert moments == list(islice(audience(viewers), viewers * 20)), "the same seed tells the same story"
    assert len({moment.user for moment in moments[:viewers]}) == viewers
    assert len({(moment.session, moment.seq) for moment in moments}) == len(moments)
    by_session: dict[str, list[int]] = {}
    for moment in moments:
        by_session.setdefault(moment.session, []).append(moment.at_ms if moment.kind == "heartbeat" else -1)
    steps = [later - earlier for told in by_session.values() for earlier, later in pairwise(told)]
    assert steps.count(10_000) > len(steps) * 0.9
    assert {moment.kind for moment in moments} == {"heartbeat", "seek"}
    assert len({(moment.user, moment.slug) for moment in islice(strangers(), 1000)}) == 1000


def test_events_are_json_and_frames_hold_them() -> None:
    for moment in islice(audience(50), 500):
        told = json.loads(as_json(moment))
        assert (told["user"], round(told["at"] * 1000), told["seq"]) == (
            moment.user,
            moment.at_ms,
            moment.seq,
        )
        frame = frames([moment])
        assert frame.endswith(as_json(moment))
        assert len(frame) - len(as_json(moment)) == (6 if len(as_json(moment)) < 126 else 8)


def test_a_turn_begins_with_what_was_not_sent_in_the_one_before(tmp_path: Path) -> None:
    told = [moment.user.encode() for moment in islice(audience(50), 50)]
    player = Player(None, audience(50), spell=lambda moments: moments[0].user.encode())  # type: ignore[arg-type]
    for first, count, unsent in ((0, 10, 4), (6, 2, 1), (7, 20, 0), (27, 3, 3), (27, 5, 0)):
        write_requests(tmp_path / "requests", islice(player.requests(), count))
        assert list(read_requests(tmp_path / "requests")) == told[first : first + count]
        player.keep_unsent(tmp_path / "requests", unsent)


def test_requests_are_read_as_they_were_written(tmp_path: Path) -> None:
    requests = [b"one", b"", b"\x00\xff" * 1000]
    assert write_requests(tmp_path / "requests", requests) == 3
    assert list(read_requests(tmp_path / "requests")) == requests


async def test_a_stall_is_charged_to_all_requests_that_were_due_meanwhile(tmp_path: Path) -> None:
    """Open loop, one connection, the first answer 0.3 s late: others waited too, though each was answered at once."""
    stall_seconds, rate, count = 0.3, 100, 20
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    async def answer_late_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(stall_seconds)
        writer.write(answer)
        for _ in range(count - 1):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(answer_late_once, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    write_requests(tmp_path / "requests", [get("/")] * count)
    load = Load(Job(port, str(tmp_path / "requests"), 1, count / rate, "{", rate=rate))
    transport, _ = await asyncio.get_running_loop().create_connection(
        lambda: Connection(load), "127.0.0.1", port
    )
    outcome = await load.run()
    transport.close()
    server.close()
    await server.wait_closed()
    assert (outcome.answered, outcome.failed, outcome.unsent) == (count, 0, 0)
    assert min(load.latencies) >= stall_seconds - count / rate
    assert outcome.latencies_ms["p50"] >= (stall_seconds - count / 2 / rate) * 1000


def test_a_bar_has_a_colour_for_every_role() -> None:
    roles = dict.fromkeys(("arbiter", *dict(ROLES).values()), 1.0)
    assert bars("all", "us", {"one": roles}).count("<title>") == len(roles)


def test_a_page_keeps_what_was_written_by_hand(tmp_path: Path) -> None:
    written = tmp_path / "performance.md"
    written.write_text(f"before\n{page.BEGIN}\nearlier\n{page.END}\nafter\n")
    measured = {"1,000 events a request": {"playhead": _described()}}
    scenario: dict[str, object] = {"measured": measured, "imbalances": [], "absent": []}
    scenario |= {"date": "2026-11-21", "machine": "2 CPUs", "turns": "1 turn"}
    scenario["figures"] = [asdict(Figure("speed", 5.0, "/s", aim=4.0))]
    page.write(written, {"batches": scenario})
    text = written.read_text()
    assert text.startswith(f"before\n{page.BEGIN}\n")
    assert text.endswith(f"{page.END}\nafter\n")
    assert "| speed | 5.00 /s | >= 4.00 /s | yes |" in text
    assert "earlier" not in text
    assert len(list((tmp_path / "performance").glob("*.svg"))) == 2


def test_bars_are_as_long_as_their_values() -> None:
    drawn = bars("cost", "us", {"a": {"http": 30.0, "valkey": 10.0}, "b": {"http": 20.0}})
    widths = [
        float(piece.split('"')[1])
        for piece in drawn.split("<rect ")[1:4]
        for piece in [piece.split("width=")[1]]
    ]
    assert widths == pytest.approx([360.0, 120.0, 240.0])


def _player(*events_per_turn: int) -> Player:
    """Turns of a second each, with a CPU that is the same for each event."""
    turns = [
        Turn(
            Outcome(seconds=1.0, answered=events),
            events,
            {"http": events / 1000, "valkey": events / 4000, "generator": events / 2000},
            0.0,
        )
        for events in events_per_turn
    ]
    return Player(None, iter(()), turns=turns)  # type: ignore[arg-type]


def _described() -> dict[str, object]:
    return {
        "events_per_second": 5,
        "cpu_us_per_event": {"http": 1.0, "all": 1.0},
        "latencies_ms": {"p50": 1.0},
    }
