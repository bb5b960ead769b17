"""A client of the old system, as it was written years ago: it knows that schema, and nothing else."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientSession

Document = dict[str, Any]

USER_LESSON = """
  id userCourseId lessonId user progress maxProgress status dateStarted dateCompleted dateLastViewed createdAt
  lesson { id title duration }
"""
USER_COURSE = f"""
  id courseId user status dueDate dateStarted dateCompleted dateLastViewed lastCompletedDate createdAt
  course {{ id title }}
  userLessons(limit: 100) {{ items {{ {USER_LESSON} }} nextToken }}
"""
LIST_USER_COURSES = f"""
query ListUserCoursesByCourseId(
  $courseId: ID!, $sortDirection: ModelSortDirection, $limit: Int, $nextToken: String
) {{
  listUserCoursesByCourseId(
    courseId: $courseId, sortDirection: $sortDirection, limit: $limit, nextToken: $nextToken
  ) {{ items {{ {USER_COURSE} }} nextToken }}
}}
"""
GET_USER_COURSE = f"query GetUserCourse($id: ID!) {{ getUserCourse(id: $id) {{ {USER_COURSE} }} }}"
GET_USER_LESSON = f"query GetUserLesson($id: ID!) {{ getUserLesson(id: $id) {{ {USER_LESSON} }} }}"
CREATE_PROGRESS = f"""
mutation CreateUserLessonProgress($input: CreateUserLessonProgressInput!) {{
  createUserLessonProgress(input: $input) {{
    id userLessonId progress createdAt updatedAt userLesson {{ {USER_LESSON} }}
  }}
}}
"""
UPDATE_USER_LESSON = f"""
mutation UpdateUserLesson($input: UpdateUserLessonInput!) {{
  updateUserLesson(input: $input) {{ {USER_LESSON} }}
}}
"""


ON_UPDATE = f"""
subscription OnUpdateUserLesson($id: ID!) {{ onUpdateUserLesson(id: $id) {{ {USER_LESSON} }} }}
"""


class Refused(Exception):
    """The answer has errors; `told` is all of it."""

    def __init__(self, told: Document) -> None:
        super().__init__(str(told))
        self.told = told

    @property
    def messages(self) -> str:
        return "; ".join(error["message"] for error in self.told["errors"])


class OldClient:
    """Whose credentials are in `headers`."""

    def __init__(self, http: ClientSession, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self._http = http

    async def courses(self, course: str, sort: str = "ASC", page: int = 2) -> list[Document]:
        """All that the caller may see, with their lessons."""
        found: list[Document] = []
        token: str | None = None
        while True:
            variables = {"courseId": course, "sortDirection": sort, "limit": page, "nextToken": token}
            told = (await self.ask(LIST_USER_COURSES, variables))["listUserCoursesByCourseId"]
            found += told["items"]
            if (token := told["nextToken"]) is None:
                return found

    async def course(self, identity: str) -> Document:
        told: Document = (await self.ask(GET_USER_COURSE, {"id": identity}))["getUserCourse"]
        return told

    async def lesson(self, identity: str) -> Document:
        told: Document = (await self.ask(GET_USER_LESSON, {"id": identity}))["getUserLesson"]
        return told

    async def watched(self, user_lesson: str, progress: float, **more: Any) -> Document:
        """Every few seconds of playing."""
        given = {"userLessonId": user_lesson, "progress": progress, **more}
        told: Document = (await self.ask(CREATE_PROGRESS, {"input": given}))["createUserLessonProgress"]
        return told

    async def left(self, user_lesson: str, progress: float, **more: Any) -> Document:
        """At the end of a playback."""
        given = {"id": user_lesson, "progress": progress, **more}
        told: Document = (await self.ask(UPDATE_USER_LESSON, {"input": given}))["updateUserLesson"]
        return told

    @asynccontextmanager
    async def following(self, user_lesson: str) -> AsyncIterator[AsyncIterator[Document]]:
        """What its subscription shows, the first one at once."""
        payload = {"query": ON_UPDATE, "variables": {"id": user_lesson}}
        protocols = ("graphql-transport-ws",)
        async with self._http.ws_connect(self.url, protocols=protocols, headers=self.headers) as socket:
            await socket.send_json({"type": "connection_init"})
            assert (await socket.receive_json())["type"] == "connection_ack"
            await socket.send_json({"id": "1", "type": "subscribe", "payload": payload})

            async def shown() -> AsyncIterator[Document]:
                async for message in socket:
                    told = message.json()
                    if told["type"] == "next":
                        yield told["payload"]["data"]["onUpdateUserLesson"]
                    else:
                        assert told["type"] in ("ping", "pong"), told

            yield shown()

    async def ask(self, query: str, variables: Document) -> Document:
        """The `data` of an answer without errors. Raises Refused."""
        body = {"query": query, "variables": variables}
        async with self._http.post(self.url, json=body, headers=self.headers) as answer:
            told: Document = await answer.json(content_type=None)
        if told.get("errors") or "data" not in told:
            raise Refused(told)
        data: Document = told["data"]
        return data
