"""What many fields of one answer need, read at once: as many statements for fifty of them as for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strawberry.dataloader import DataLoader

from service.api.context import COURSES, MOVING
from service.api.courses import shapes
from service.moving.ids import is_name

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.courses.shapes import Json
    from service.courses.model import Lesson
    from service.moving.history import PastPoint, PointsAsked
    from service.moving.model import UserCourse, UserLesson


class Loading:
    """Of one request: nothing is remembered longer."""

    def __init__(self, app: web.Application) -> None:
        self._catalogue = app[COURSES].catalogue
        reading, history = app[MOVING].reading, app[MOVING].history
        self.courses: DataLoader[str, Json | None] = DataLoader(self._courses)
        self.lessons: DataLoader[str, Json | None] = DataLoader(self._lessons)
        self.user_courses: DataLoader[str, UserCourse | None] = DataLoader(reading.user_courses)
        self.user_lessons: DataLoader[str, UserLesson | None] = DataLoader(reading.user_lessons)
        self.lessons_of: DataLoader[UserCourse, list[UserLesson]] = DataLoader(reading.lessons_of)
        self.points: DataLoader[PointsAsked, list[PastPoint]] = DataLoader(history.points)

    async def _courses(self, names: list[str]) -> list[Json | None]:
        found = await self._catalogue.named(list(filter(is_name, names)))
        return [shapes.course(found[name]) if name in found else None for name in names]

    async def _lessons(self, names: list[str]) -> list[Json | None]:
        found = await self._catalogue.lessons_named(list(filter(is_name, names)))
        return [_lesson(*found[name]) if name in found else None for name in names]


def _lesson(course: str, found: Lesson) -> Json:
    return {"course": course, **shapes.lesson(found)}
