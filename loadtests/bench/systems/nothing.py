"""The floor: an aiohttp handler that reads the request and answers with a constant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from loadtests.bench.audience import as_json
from loadtests.bench.systems.system import Command, Counts, free_port, post, served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loadtests.bench.audience import Moment

ANSWER = b'{"accepted":1,"duplicates":0,"rejected":[]}'


class Nothing:
    name = "nothing"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "nothing.log"
        self._command: Command | None = None

    def start(self) -> None:
        self._command = served("loadtests.bench.systems.nothing:application()", self.port, self._log)

    def stop(self) -> None:
        if self._command:
            self._command.stop()

    def roots(self) -> list[int]:
        return [self._command.pid] if self._command else []

    def request(self, moments: Sequence[Moment]) -> bytes:
        spelled = [as_json(moment) for moment in moments]
        return post("/v1/events", spelled[0] if len(spelled) == 1 else b"[%b]" % b",".join(spelled))

    def expected(self, events: int) -> str:
        del events
        return ANSWER.decode()

    def settle(self) -> float:
        return 0.0

    def counts(self) -> Counts:
        return Counts(None, None)


def application() -> web.Application:
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/v1/events", _post)
    app.router.add_get("/{path:.*}", _get)
    return app


async def _post(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


async def _get(_request: web.Request) -> web.Response:
    return web.Response(body=ANSWER, content_type="application/json")
