"""All of courses in one place, over one pool of connections."""

from __future__ import annotations

from typing import Self

from service.courses.assigning.assignments import Assignments
from service.courses.assigning.attempts import Attempts
from service.courses.catalogue.catalogue import Catalogue
from service.courses.catalogue.teams import Teams
from service.courses.credits.credits import Credits
from service.courses.database import Database
from service.courses.playing.playbacks import Playbacks
from service.courses.playing.seeks import Seeks
from service.courses.playing.sessions import Sessions
from service.courses.reports.reports import Reports


class Courses:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.catalogue = Catalogue(database)
        self.teams = Teams(database)
        self.assignments = Assignments(database)
        self.attempts = Attempts(database)
        self.credits = Credits(database)
        self.reports = Reports(database)
        self.sessions = Sessions(database)
        self.seeks = Seeks(database)
        self.playbacks = Playbacks(database)

    @classmethod
    async def connect(cls, database_url: str) -> Self:
        """Postgres may be away: each call says so then."""
        return cls(await Database.connect(database_url))

    async def close(self) -> None:
        await self.database.close()
