"""A system to move from: GraphQL as Amplify makes it, over its own Postgres; a row for every few seconds of playing.

Run as a process of its own: `python -m tests.moving.old_system PORT DATABASE_URL`. It knows nothing of playhead.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import jwt
from aiohttp import web
from graphql import GraphQLError, build_schema, graphql

if TYPE_CHECKING:
    from collections.abc import Mapping


Row = dict[str, Any]
Info = Any
"""What a resolver is told besides; its `context` is the Caller."""

API_KEY = "da2-aaaaaaaaaaaaaaaaaaaaaaaaaa"
COMPLETED_AT = 0.95
"""Of a lesson's duration: whoever reached that has completed it."""

SCHEMA = """
scalar AWSDateTime
enum Status { Assigned InProgress Completed }
enum ModelSortDirection { ASC DESC }
input ModelStringKeyConditionInput { eq: String le: String lt: String ge: String gt: String between: [String] }

type Course { id: ID! title: String }
type Lesson { id: ID! courseId: ID title: String duration: Float }

type UserCourse {
  id: ID! courseId: ID! course: Course user: String! status: Status
  userLessons(limit: Int, nextToken: String): ModelUserLessonConnection
  dueDate: AWSDateTime dateStarted: AWSDateTime dateCompleted: AWSDateTime dateLastViewed: AWSDateTime
  lastCompletedDate: AWSDateTime createdAt: AWSDateTime! updatedAt: AWSDateTime!
}
type UserLesson {
  id: ID! userCourseId: ID! lessonId: ID! lesson: Lesson user: String! status: Status progress: Float maxProgress: Float
  dateStarted: AWSDateTime dateCompleted: AWSDateTime dateLastViewed: AWSDateTime
  createdAt: AWSDateTime! updatedAt: AWSDateTime!
}
type UserLessonProgress {
  id: ID! userLessonId: ID! progress: Float! owner: String
  createdAt: AWSDateTime! updatedAt: AWSDateTime! userLesson: UserLesson
}
type ModelUserCourseConnection { items: [UserCourse]! nextToken: String }
type ModelUserLessonConnection { items: [UserLesson]! nextToken: String }

input CreateUserLessonProgressInput {
  id: ID userLessonId: ID! progress: Float! owner: String createdAt: AWSDateTime
}
input UpdateUserLessonInput { id: ID! progress: Float maxProgress: Float status: Status }

type Query {
  getUserCourse(id: ID!): UserCourse
  getUserLesson(id: ID!): UserLesson
  listUserCoursesByCourseId(
    courseId: ID!, createdAt: ModelStringKeyConditionInput, sortDirection: ModelSortDirection, limit: Int,
    nextToken: String
  ): ModelUserCourseConnection
}
type Mutation {
  createUserLessonProgress(input: CreateUserLessonProgressInput!): UserLessonProgress
  updateUserLesson(input: UpdateUserLessonInput!): UserLesson
}
type Subscription { onUpdateUserLesson(id: ID!): UserLesson }
"""

_DATES = (
    '"dateStarted" timestamptz, "dateCompleted" timestamptz, "dateLastViewed" timestamptz,'
    ' "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL'
)
TABLES = f"""
CREATE TABLE "Course" (id text PRIMARY KEY, title text);
CREATE TABLE "Lesson" (id text PRIMARY KEY, "courseId" text, title text, duration float8);
CREATE TABLE "UserCourse" (
    id text PRIMARY KEY, "courseId" text, "user" text, status text, "dueDate" timestamptz,
    "lastCompletedDate" timestamptz, {_DATES}
);
CREATE INDEX ON "UserCourse" ("courseId", "createdAt", id);
CREATE TABLE "UserLesson" (
    id text PRIMARY KEY, "userCourseId" text, "lessonId" text, "user" text, status text, progress float8,
    "maxProgress" float8, {_DATES}
);
CREATE INDEX ON "UserLesson" ("userCourseId");
CREATE TABLE "UserLessonProgress" (
    id text PRIMARY KEY, "userLessonId" text, progress float8, owner text,
    "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL
);
"""


class Caller:
    """Who asks: a person by their token, or a server by its key, which may do everything."""

    def __init__(self, headers: Mapping[str, str], secret: str) -> None:
        self.user: str | None = None
        self.is_server = headers.get("X-Api-Key") == API_KEY
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        with suppress(jwt.PyJWTError):
            self.user = jwt.decode(token, secret, ["HS256"], options={"verify_aud": False})["sub"]

    @property
    def is_known(self) -> bool:
        return self.is_server or self.user is not None

    def demand(self, user: str) -> None:
        if not self.is_server and self.user != user:
            raise GraphQLError("Not Authorized to access this", extensions={"errorType": "Unauthorized"})


class OldSystem:
    """The fields of queries and mutations, named as they are asked for."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def getUserCourse(self, info: Info, id: str) -> Row | None:  # noqa: A002, N802
        return self._course(await self._mine(info, 'SELECT * FROM "UserCourse" WHERE id = $1', id))

    async def getUserLesson(self, info: Info, id: str) -> Row | None:  # noqa: A002, N802
        return self._lesson(await self._mine(info, 'SELECT * FROM "UserLesson" WHERE id = $1', id))

    async def listUserCoursesByCourseId(  # noqa: N802
        self,
        info: Info,
        courseId: str,  # noqa: N803
        sortDirection: str = "ASC",  # noqa: N803
        limit: int = 100,
        nextToken: str | None = None,  # noqa: N803
        **_: object,
    ) -> Row:
        """A person gets their own of it."""
        caller: Caller = info.context
        order = "DESC" if sortDirection == "DESC" else "ASC"
        rows = await self._pool.fetch(
            f'SELECT * FROM "UserCourse" WHERE "courseId" = $1 AND ($2::text IS NULL OR "user" = $2)'
            f' ORDER BY "createdAt" {order}, id {order} LIMIT $3 OFFSET $4',
            courseId,
            None if caller.is_server else caller.user,
            limit + 1,
            int(nextToken or 0),
        )
        token = str(int(nextToken or 0) + limit) if len(rows) > limit else None
        return {"items": [self._course(shown(row)) for row in rows[:limit]], "nextToken": token}

    async def createUserLessonProgress(self, info: Info, input: Row) -> Row:  # noqa: A002, N802
        """Where they are, and how far they ever came, is worked out here, as triggers of such systems do."""
        lesson = await self._mine(
            info, 'SELECT * FROM "UserLesson" WHERE id = $1', given := input["userLessonId"]
        )
        if lesson is None:
            raise GraphQLError(f"no UserLesson {given}", extensions={"errorType": "NotFound"})
        at = datetime.fromisoformat(input["createdAt"]) if input.get("createdAt") else datetime.now(UTC)
        point = {
            "id": input.get("id") or str(uuid.uuid4()),
            "userLessonId": given,
            "progress": input["progress"],
        }
        async with self._pool.acquire() as connection, connection.transaction():
            try:
                await connection.execute(
                    'INSERT INTO "UserLessonProgress" VALUES ($1, $2, $3, $4, $5, $5)',
                    *point.values(),
                    input.get("owner") or lesson["user"],
                    at,
                )
            except asyncpg.UniqueViolationError:
                kind = "DynamoDB:ConditionalCheckFailedException"
                raise GraphQLError("The conditional request failed", extensions={"errorType": kind}) from None
            await self._move(connection, given, input["progress"], at)
        return {
            **point,
            "owner": input.get("owner") or lesson["user"],
            "createdAt": stamp(at),
            "updatedAt": stamp(at),
            "userLesson": lambda info: self.getUserLesson(info, given),
        }

    async def updateUserLesson(self, info: Info, input: Row) -> Row | None:  # noqa: A002, N802
        if await self.getUserLesson(info, input["id"]) and input.get("progress") is not None:
            async with self._pool.acquire() as connection, connection.transaction():
                await self._move(connection, input["id"], input["progress"], datetime.now(UTC))
        return await self.getUserLesson(info, input["id"])

    async def _move(self, connection: Any, lesson: str, progress: float, at: datetime) -> None:
        course = await connection.fetchval(
            """
            UPDATE "UserLesson" AS u SET
                progress = $2, "maxProgress" = greatest(u."maxProgress", $2), "updatedAt" = now(),
                "dateLastViewed" = $3, "dateStarted" = coalesce(u."dateStarted", $3),
                status = CASE WHEN u.status = 'Completed' OR $2 >= l.duration * $4 THEN 'Completed'
                    ELSE 'InProgress' END,
                "dateCompleted" = coalesce(u."dateCompleted", CASE WHEN $2 >= l.duration * $4 THEN $3 END)
            FROM "Lesson" AS l WHERE l.id = u."lessonId" AND u.id = $1
            RETURNING u."userCourseId"
            """,
            lesson,
            progress,
            at,
            COMPLETED_AT,
        )
        await connection.execute(
            """
            UPDATE "UserCourse" AS c SET
                "updatedAt" = now(), "dateLastViewed" = $2, "dateStarted" = coalesce(c."dateStarted", $2),
                status = CASE WHEN o.is_left THEN 'InProgress' ELSE 'Completed' END,
                "dateCompleted" = coalesce(c."dateCompleted", CASE WHEN NOT o.is_left THEN $2 END)
            FROM (SELECT bool_or(status <> 'Completed') AS is_left FROM "UserLesson" WHERE "userCourseId" = $1) AS o
            WHERE c.id = $1
            """,
            course,
            at,
        )

    async def _mine(self, info: Info, statement: str, given: str) -> Row | None:
        row = await self._pool.fetchrow(statement, given)
        if row is None:
            return None
        info.context.demand(row["user"])
        return shown(row)

    def _course(self, row: Row | None) -> Row | None:
        if row is None:
            return None
        identity, course = row["id"], row["courseId"]

        async def lessons(_info: Info, limit: int = 100, **_: object) -> Row:
            found = await self._pool.fetch(
                'SELECT * FROM "UserLesson" WHERE "userCourseId" = $1 ORDER BY id LIMIT $2', identity, limit
            )
            return {"items": [self._lesson(shown(one)) for one in found], "nextToken": None}

        return {**row, "userLessons": lessons, "course": lambda _: self._one("Course", course)}

    def _lesson(self, row: Row | None) -> Row | None:
        if row is None:
            return None
        lesson = row["lessonId"]
        return {**row, "lesson": lambda _: self._one("Lesson", lesson)}

    async def _one(self, table: str, identity: str) -> Row | None:
        row = await self._pool.fetchrow(f'SELECT * FROM "{table}" WHERE id = $1', identity)
        return shown(row) if row else None


def shown(row: asyncpg.Record) -> Row:
    """Dates as AWSDateTime."""
    return {name: stamp(value) if isinstance(value, datetime) else value for name, value in row.items()}


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def formatted(error: GraphQLError) -> Row:
    """The kind of an error stands beside its message, as with AppSync."""
    return {"path": error.path, "message": error.message, **(error.extensions or {})}


async def serve(port: int, database_url: str) -> None:
    schema, secret = build_schema(SCHEMA), os.environ["OLD_SYSTEM_SECRET"]
    pool = await asyncpg.create_pool(database_url, min_size=1, max_size=4)
    old_system = OldSystem(pool)

    async def answer(request: web.Request) -> web.Response:
        caller = Caller(request.headers, secret)
        if not caller.is_known:
            said = {"errors": [{"errorType": "UnauthorizedException", "message": "You are not authorized"}]}
            return web.json_response(said, status=401)
        asked = json.loads(await request.read())
        result = await graphql(
            schema,
            asked["query"],
            old_system,
            caller,
            asked.get("variables"),
            asked.get("operationName"),
        )
        told: Row = {"data": result.data}
        if result.errors:
            told["errors"] = [formatted(error) for error in result.errors]
        return web.json_response(told)

    app = web.Application()
    app.router.add_post("/graphql", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
