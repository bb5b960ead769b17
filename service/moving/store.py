"""All of moving in that an HTTP process has in one place."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service import metrics
from service.errors import BadRequest
from service.moving.forwarding import Shape, shape_of
from service.moving.history import History
from service.moving.model import Side, Unit
from service.moving.old_api import OldApi
from service.moving.reading import Reading
from service.moving.stage import Stage
from service.moving.writing import Writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from service.counters.writer import Writer
    from service.courses.database import Database
    from service.courses.watching.watched import Watched
    from service.moving.forwarding import Asked
    from service.moving.old_api import OldAnswer
    from service.moving.writing import MayWrite
    from service.settings import Settings


class Moving:
    def __init__(self, settings: Settings, database: Database, watched: Watched, writer: Writer) -> None:
        self.reading = Reading(database, watched)
        self.history = History(database)
        self.old_api = OldApi.of(settings)
        self.stage = Stage(database)
        self.writing = Writing(self.reading, writer, self.old_api, Unit(settings.old_progress_unit))

    @property
    def reads(self) -> Side:
        """Who answers them. Where there is no old system, nobody has to look."""
        return self.stage.reads if self.old_api else Side.NEW

    async def forwarded(
        self, asked: Asked, headers: Mapping[str, str], may_write: MayWrite
    ) -> OldAnswer | None:
        """The old system's answer, as it came; None where playhead is to answer.

        `asked` is valid here, so that what works before the switch works after it. Raises BadRequest for what is
        neither the one's nor the other's, and whatever `Writing` raises.
        """
        if self.old_api is None or (shape := shape_of(asked)) is Shape.OWN or self.reads is Side.NEW:
            return None
        if shape is Shape.MIXED:
            detail = (
                "fields of the old system and of playhead's own cannot be asked for at once as long as the old system"
                " answers its own; ask for them in two requests"
            )
            raise BadRequest(400, "mixed_shapes", detail)
        if asked.is_query:
            return await self.old_api.post(asked.as_sent, headers)
        return await self.writing.forwarded(asked, headers, may_write)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """For so long it is looked who answers reads, and the old system is reached."""
        if self.old_api is None:
            metrics.READS_SWITCHED.labels("old").set(True)
            yield
            return
        stop = asyncio.Event()
        looking = asyncio.create_task(self.stage.keep(stop), name="stage")
        try:
            yield
        finally:
            stop.set()
            await looking
            await self.old_api.close()
