"""`playhead recover`: all partitions brought level, several at once, since a replay keeps a core busy."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor

import uvloop

from service import settings
from workers.recovery import Recovered, Recovery
from workers.stores import open_stores


def recover_all(partitions: int, processes: int) -> list[Recovered]:
    """What was done, for each partition that was not level and open."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin) as pool:
        return [done for done in pool.map(_recover, range(partitions)) if done]


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # a million events are no cycles, and looking at each of them for some takes a fifth of the time


def _recover(partition: int) -> Recovered | None:
    return uvloop.run(_recovered(partition))


async def _recovered(partition: int) -> Recovered | None:
    async with open_stores(settings.load()) as stores:
        recovery = Recovery(stores.redis, stores.ledger, stores.history, stores.constants)
        checkpoints = await stores.ledger.checkpoints([partition])
        return await recovery.level(partition, checkpoints[partition])
