"""How soon playhead is ready with a million pairs in its data folder, beside Valkey reading the same folder."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from loadtests.bench.audience import Moment
from loadtests.bench.books import imbalances
from loadtests.bench.figures import Result
from loadtests.bench.scenarios.batches import BATCH_EVENTS
from loadtests.bench.systems.playhead import Playhead
from loadtests.bench.turns import Player, load
from service.embedded import DataFolder, EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loadtests.bench.laboratory import Laboratory

PAIRS, MOVIES_EACH = 1_000_000, 5
STARTS = 3
BEYOND_SECONDS_AIM = 5.0


def ready(laboratory: Laboratory) -> Result:
    """Time to ready with a million pairs, beyond what Valkey itself needs to load them."""
    result = Result()
    playhead = Playhead(laboratory.folder)
    playhead.set(laboratory.settings)
    player = Player(playhead, _pairs(), BATCH_EVENTS)
    laboratory.say(f"a data folder of {PAIRS:,} pairs")
    playhead.start()
    try:
        load(player, laboratory.folder, PAIRS // BATCH_EVENTS)
        playhead.stop()
        alone, with_all = [], []
        for _ in range(STARTS):
            laboratory.say("starting Valkey alone, then playhead")
            alone.append(_valkey_alone(playhead.data))
            with_all.append(_timed(playhead))
            result.imbalances += imbalances(player)
            playhead.stop()
    finally:
        playhead.stop()
    beyond = sorted(ours - theirs for ours, theirs in zip(with_all, alone, strict=True))[STARTS // 2]
    result.add("a million pairs: Valkey alone is ready after", sorted(alone)[STARTS // 2], "s")
    result.add("a million pairs: playhead is ready after", sorted(with_all)[STARTS // 2], "s")
    result.add("a million pairs: beyond Valkey", beyond, "s", aim=BEYOND_SECONDS_AIM, is_upper=True)
    return result


def _pairs() -> Iterator[Moment]:
    for number in range(PAIRS):
        user, movie = divmod(number, MOVIES_EACH)
        yield Moment(
            f"v-{user:07}", f"movie-{(user + movie) % 1000:05}", f"s-{number:07}", 1, "heartbeat", 60_000
        )


def _valkey_alone(data: Path) -> float:
    """A copy of its files, so that playhead finds the folder as it left it."""
    copy = data.parent / "copy"
    shutil.copytree(data / "valkey", copy / "valkey", ignore=shutil.ignore_patterns("*.lock"))
    with DataFolder(copy) as folder:
        started = time.monotonic()
        valkey = EmbeddedValkey(folder).start()
        took_seconds = time.monotonic() - started
        valkey.stop()
    shutil.rmtree(copy)
    return took_seconds


def _timed(playhead: Playhead) -> float:
    started = time.monotonic()
    playhead.start()
    return time.monotonic() - started
