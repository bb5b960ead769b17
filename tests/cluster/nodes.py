"""Six real Valkeys as one cluster, three masters and their replicas, to kill, freeze and start again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.counters import keys
from service.embedded import child
from service.embedded.binaries import valkey_server
from tests.integration.serving import free_port
from tests.integration.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

MASTERS = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 1000

CONFIG = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "repl-diskless-sync-delay": "0",
}
CLUSTER_CONFIG = {
    "cluster-enabled": "yes",
    "cluster-node-timeout": str(NODE_TIMEOUT_MS),
    "cluster-require-full-coverage": "no",
    "cluster-allow-replica-migration": "no",
    # A replica that a test has frozen for long takes over all the same.
    "cluster-replica-validity-factor": "0",
}


class Node:
    """One Valkey; the same data comes back when it is started again."""

    def __init__(self, folder: Path, *, clustered: bool = True) -> None:
        folder.mkdir()
        self._folder = folder
        self._clustered = clustered
        self.port, self.bus_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.client = Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5)
        self.id = ""
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {**CONFIG, "port": self.port, "dir": self._folder, "logfile": self._folder / "log"}
        if self._clustered:
            options |= {**CLUSTER_CONFIG, "cluster-port": self.bus_port}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        tie = [str(os.getpid()), str(int(signal.SIGKILL)), "-1", "-1", str(self._folder)]
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", child.__file__, *tie, str(valkey_server()), *words]
        )

    def kill(self) -> None:
        assert self._popen
        self._popen.kill()
        self._popen.wait()

    def freeze(self) -> None:
        assert self._popen
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._popen
        self._popen.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        await self.client.aclose()
        if self._popen:
            self.thaw()
            self.kill()

    @property
    def lives(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    async def command(self, *words: str | int) -> Any:
        return await self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    async def answers(self) -> bool:
        with suppress(RedisError, OSError):
            return bool(await self.client.ping())
        return False

    async def role(self) -> str:
        with suppress(RedisError, OSError):
            return str((await self.client.info("replication"))["role"])
        return "away"

    async def appended(self, partition: int) -> int:
        """How many events it knows of that were ever appended to a partition."""
        return int(await self.command("HGET", keys.log(partition), "appended") or 0)

    async def follows(self) -> bool:
        """Whether it is a replica that has all that its master had when it was asked for."""
        with suppress(RedisError, OSError):
            told = await self.client.info("replication")
            return bool(told["role"] == "slave" and told["master_link_status"] == "up")
        return False


class Nodes:
    """The first three are the masters at first, the n-th of the others replicates the n-th of them."""

    def __init__(self, folder: Path) -> None:
        self.all = [Node(folder / str(number)) for number in range(2 * MASTERS)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(node.address for node in self.all[:2])

    async def start(self) -> Self:
        for node in self.all:
            node.start()
        for node in self.all:
            await until(node.answers, "a node answers")
            node.id = (await node.command("CLUSTER", "MYID")).decode()
        for number, node in enumerate(self.all[:MASTERS]):
            first, last = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1
            await node.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            await node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.all[1:]:
            await self.all[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        await until(self._know_each_other, "every node knows all others")
        for node, master in zip(self.all[MASTERS:], self.all[:MASTERS], strict=True):
            await node.command("CLUSTER", "REPLICATE", master.id)
        await self.settled()
        return self

    async def settled(self) -> None:
        """Until the cluster is well: all live, each master with a replica that follows it."""
        await until(self._is_well, "the cluster is well")

    async def pair_of(self, slot: int) -> tuple[Node, Node]:
        """The master that has the slot now, and its replica."""
        for first, last, master, *replicas in await self._view():
            if first <= slot <= last:
                (replica,) = replicas
                return self._by_id(master[2]), self._by_id(replica[2])
        raise AssertionError(f"nobody has slot {slot}")

    async def masters(self) -> list[Node]:
        return list({found[2]: self._by_id(found[2]) for _, _, found, *_ in await self._view()}.values())

    async def move(self, slot: int, source: Node, target: Node) -> None:
        """A slot from one master to another, key by key, as redis-cli does it."""
        await self.begin_move(slot, source, target)
        await self.finish_move(slot, source, target)

    async def begin_move(self, slot: int, source: Node, target: Node) -> None:
        await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    async def finish_move(self, slot: int, source: Node, target: Node) -> None:
        while found := await source.command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            await source.command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)
        for node in (target, source):
            await node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id)
        for node in await self.masters():
            await node.command("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    async def empty(self) -> None:
        for node in await self.masters():
            await node.client.flushall()
            await node.command("FUNCTION", "FLUSH")

    async def restore(self) -> None:
        """Whatever a test did to them, all are up again, and empty."""
        for node in self.all:
            if not node.lives:
                node.start()
            node.thaw()
        await self.settled()
        await self.empty()

    async def end(self) -> None:
        for node in self.all:
            await node.end()

    def _by_id(self, node_id: bytes) -> Node:
        (node,) = (node for node in self.all if node.id == node_id.decode())
        return node

    async def _view(self) -> list[Any]:
        """As a node sees it that lives: ranges of slots, each with its master and replicas."""
        for node in self.all:
            if await node.answers():
                return list(await node.command("CLUSTER", "SLOTS"))
        raise AssertionError("no node answers")

    async def _know_each_other(self) -> bool:
        known = await asyncio.gather(*(node.command("CLUSTER", "NODES") for node in self.all))
        return all(view.count(b"\n") == len(self.all) and b"handshake" not in view for view in known)

    async def _is_well(self) -> bool:
        with suppress(RedisError, OSError):
            return await self._looks_well()
        return False

    async def _looks_well(self) -> bool:
        roles = [await node.role() for node in self.all]
        infos = await asyncio.gather(*(node.command("CLUSTER", "INFO") for node in self.all))
        views = [await node.command("CLUSTER", "NODES") for node in self.all]
        slots = [await node.command("CLUSTER", "SLOTS") for node in self.all]
        return (
            sorted(roles) == ["master"] * MASTERS + ["slave"] * MASTERS
            and all(b"cluster_state:ok" in info for info in infos)
            and not any(b"fail" in view for view in views)
            # Each node knows of each master's replica: news of a failover take a moment to reach all.
            and all(len(replicas) == 1 for view in slots for _, _, _, *replicas in view)
            and all(
                [role == "master" or await node.follows() for node, role in zip(self.all, roles, strict=True)]
            )
        )
