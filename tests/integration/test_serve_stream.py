"""Streams of a `playhead serve` that is renewed, killed, stopped and started: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import aiohttp
import orjson

from tests.faults import victims
from tests.integration.serving import Serving, ended
from tests.integration.test_serve import ids_in, settled
from tests.integration.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = 4
WINDOW_EVENTS = 300


class Sender:
    """Streams events of a user of its own without end, and again those that were not answered, as any client does."""

    def __init__(self, url: str, slug: str, number: int) -> None:
        self.acknowledged: set[str] = set()
        self.unanswered: deque[str] = deque()
        self.codes: list[int | None] = []
        self.is_ending = False
        self._url, self._slug, self._user = f"{url}/v1/stream", slug, f"u{number}"
        self._made = 0

    async def run(self) -> None:
        async with aiohttp.ClientSession() as http:
            while self.unanswered or not self.is_ending:
                with suppress(aiohttp.ClientError):
                    async with http.ws_connect(self._url) as socket:
                        try:
                            await self._use(socket)
                        finally:  # it may notice while it sends
                            self.codes.append(socket.close_code)
                await asyncio.sleep(0.02)  # a pause, as clients make one

    async def _use(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        for name in self.unanswered:
            await self._send(socket, name)
        received = 0
        while self.unanswered or not self.is_ending:
            while len(self.unanswered) < WINDOW_EVENTS and not self.is_ending:
                self._made += 1
                self.unanswered.append(f"{self._user} {self._made}")
                await self._send(socket, self.unanswered[-1])
            message = await socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            answer = orjson.loads(message.data)
            again = {one["index"] for one in answer["rejected"] if one["reason"] == "unavailable"}
            assert len(again) == len(answer["rejected"])
            for index in range(received, answer["received"]):
                name = self.unanswered.popleft()
                if index in again:
                    self.unanswered.append(name)
                    await self._send(socket, name)
                else:
                    self.acknowledged.add(name)
            received = answer["received"]

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, name: str) -> None:
        event = {"user": self._user, "slug": self._slug, "at": len(self.acknowledged) % 7200, "id": name}
        await socket.send_str(orjson.dumps(event).decode())


async def test_what_streams_were_told_is_on_disk_outlives_everything(tmp_path: Path) -> None:
    """Under load the HTTP processes are renewed, then killed, and playhead is stopped and started again."""
    with ended(Serving(tmp_path / "data")) as serving:
        serving.start()
        slug = uuid4().hex
        senders = [Sender(serving.url, slug, number) for number in range(STREAMS)]
        sending = [asyncio.create_task(sender.run()) for sender in senders]
        await gone_on(senders)
        os.kill(serving.pid, signal.SIGHUP)
        await until(lambda: ended_with(senders, is_told=True), "all were let go")
        await gone_on(senders)
        for worker in await victims.appeared(serving.pid, "http worker"):
            os.kill(worker, signal.SIGKILL)
        await until(lambda: ended_with(senders, is_told=False), "all were cut off")
        await gone_on(senders)
        assert await asyncio.get_running_loop().run_in_executor(None, serving.stop) == 0
        serving.start()
        await gone_on(senders)
        for sender in senders:
            sender.is_ending = True
        await asyncio.gather(*sending)
        await settled(serving)
        acknowledged = sorted(name for sender in senders for name in sender.acknowledged)
        assert await ids_in(serving.database_url) == acknowledged


async def gone_on(senders: list[Sender], events: int = 300) -> None:
    """Until each of them was acknowledged so many more."""
    goals = [len(sender.acknowledged) + events for sender in senders]

    async def have_gone_on() -> bool:
        return all(len(sender.acknowledged) >= goal for sender, goal in zip(senders, goals, strict=True))

    await until(have_gone_on, "all streams went on")


async def ended_with(senders: list[Sender], *, is_told: bool) -> bool:
    """Whether each one's last connection was ended by playhead's word, or without one."""
    return all(sender.codes and (sender.codes[-1] == 1001) is is_told for sender in senders)
