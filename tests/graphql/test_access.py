"""Operation by operation, as by REST: a learner has their own, a manager also reads their teams', keys need scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from pydantic import SecretStr

from service.access.keyring import Scope
from service.moving import ids
from service.settings import Settings
from tests.api.client import JSON, escaped
from tests.api.conftest import serving
from tests.api.keys import LINES, TOKENS, bearer
from tests.api.provider import AUDIENCE, ISSUER, SECRET
from tests.api.test_keys import INCLUDED
from tests.courses.test_readers import PEOPLE
from tests.graphql.asking import post, reason_of
from tests.video.players import put_course, segment
from tests.video.test_persons import Admin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Api, Document

EVERYBODY, OWN, WRITERS, ADMINS = set(PEOPLE), {"ann", "sales", "admin"}, {"ann", "admin"}, {"admin"}


class Operation(NamedTuple):
    """`passes` are those who get what there is of Ann; `others` is what the rest are told: a reason, or an answer."""

    text: str
    scope: Scope
    passes: set[str]
    others: Any


def query(text: str, passes: set[str], others: Any) -> Operation:
    return Operation(f"{{ {text} }}", Scope.READ, passes, others)


def mutation(text: str, passes: set[str], others: Any, scope: Scope = Scope.INGEST) -> Operation:
    return Operation(f"mutation {{ {text} }}", scope, passes, others)


NONE: Document = {"items": []}
OPERATIONS = {
    "getUserCourse": query('getUserCourse(id: "$course") { id }', OWN, None),
    "getUserLesson": query('getUserLesson(id: "$lesson") { id }', OWN, None),
    "getCourse": query('getCourse(id: "safety") { id }', EVERYBODY, None),
    "getLesson": query('getLesson(id: "safety 1") { id }', EVERYBODY, None),
    "listUserCoursesByCourseId": query(
        'listUserCoursesByCourseId(courseId: "safety") { items { user } }', OWN, NONE
    ),
    "listUserCoursesByUser": query('listUserCoursesByUser(user: "ann") { items { user } }', OWN, NONE),
    "listUserLessonsByUserCourseId": query(
        'listUserLessonsByUserCourseId(userCourseId: "$course") { items { id } }', OWN, NONE
    ),
    "listUserLessonProgress": query(
        'listUserLessonProgress(userLessonId: "$lesson") { items { id } }', OWN, NONE
    ),
    "course": query('course(course: "safety") { title }', EVERYBODY, None),
    "courses": query("courses { items { title } }", EVERYBODY, None),
    "assignment": query('assignment(course: "safety", user: "ann") { user }', OWN, "foreign_user"),
    "assignments": query('assignments(user: "ann") { items { user } }', OWN, "foreign_user"),
    "attempt": query("attempt(attempt: $attempt) { user }", OWN, "not_found"),
    "why": query("why(attempt: $attempt) { user }", OWN, "not_found"),
    "lessonProgress": query(
        'lessonProgress(userId: "ann", lessonId: "safety 1") { userId }', OWN, "foreign_user"
    ),
    "unassignedHistory": query('unassignedHistory(userId: "ann") { userId }', OWN, "foreign_user"),
    "limit": query('limit(sessionId: "$session", toSecond: 5) { allowed }', OWN, "not_found"),
    "skipAnalytics": query('skipAnalytics(sessionId: "$session") { skips }', OWN, "not_found"),
    "movie": query('movie(slug: "safety video 1") { viewers }', EVERYBODY, None),
    "user": query('user(user: "ann") { movies }', OWN, "foreign_user"),
    "pair": query('pair(user: "ann", slug: "safety video 1") { watchSeconds }', OWN, "foreign_user"),
    "createUserLessonProgress": mutation(
        'createUserLessonProgress(input: { userLessonId: "$lesson", progress: 3 }) { progress }',
        WRITERS,
        "not_found",
    ),
    "updateUserLesson": mutation(
        'updateUserLesson(input: { id: "$lesson", progress: 3 }) { progress }', WRITERS, "not_found"
    ),
    "startSession": mutation(
        'startSession(input: { userId: "ann", lessonId: "safety 1" }) { sessionId }', WRITERS, "foreign_user"
    ),
    "reportProgress": mutation(
        'reportProgress(sessionId: "$session", input: { segments: '
        '[{ clientEventId: "s", startSecond: 0, endSecond: 3 }] }) { accepted }',
        WRITERS,
        "not_found",
    ),
    "heartbeat": mutation('heartbeat(sessionId: "$session") { isClosed }', WRITERS, "not_found"),
    "closeSession": mutation('closeSession(sessionId: "$session") { sessionId }', WRITERS, "not_found"),
    "syncSessions": mutation(
        'syncSessions(input: { sessions: [{ sessionId: "$session" }] }) { sessions { reason } }',
        WRITERS,
        {"sessions": [{"reason": "foreign_user"}]},
    ),
    "completeAttempt": mutation("completeAttempt(attempt: $attempt) { status }", WRITERS, "not_found"),
    "assign": mutation(
        'assign(input: [{ course: "safety", user: "ann" }]) { unchanged }',
        ADMINS,
        "missing_role",
        Scope.ADMIN,
    ),
    "unassign": mutation(
        'unassign(course: "others", user: "ann") { course }', ADMINS, "missing_role", Scope.ADMIN
    ),
    "renew": mutation(
        'renew(course: "safety", user: "ann", input: { after: 9 }) { number }',
        ADMINS,
        "missing_role",
        Scope.ADMIN,
    ),
}
REFUSED_TO_ALL = {"completeAttempt": "incomplete", "renew": "wrong_attempt"}
"""What even those who may are told here: nothing was watched to the end, nor renewed so often."""


@pytest.fixture(scope="module")
async def guarded(emptied_redis_url: str, module_database_url: str) -> AsyncIterator[Api]:
    settings = Settings(
        keys=LINES,
        tokens_secret=SecretStr(SECRET),
        tokens_issuer=ISSUER,
        tokens_audience=AUDIENCE,
        shutdown_seconds=1,
    )
    async with serving(settings, emptied_redis_url, module_database_url) as api:
        yield api


@pytest.fixture(scope="module")
async def anns(guarded: Api) -> Document:
    """What is Ann's; she is in the team `sales`, and the courses are hers alone."""
    admin: Any = Admin(guarded)
    await put_course(admin, "safety")
    await put_course(admin, "others")
    made: Any = None
    for method, path, body in (
        ("POST", "/v1/assignments", [{"course": course, "user": "ann"} for course in ("safety", "others")]),
        ("PUT", "/v1/teams/sales", {"title": "T"}),
        ("POST", "/v1/teams/sales/members", {"users": ["ann"]}),
        ("POST", "/video/sessions", {"userId": "ann", "lessonId": "safety 1"}),
    ):
        made = await admin.call(method, path, orjson.dumps(body))
        assert made.status == 200, made.body
    session = made.json["sessionId"]
    report = orjson.dumps({"segments": [segment("first", 0, 2)]})
    assert (await admin.call("POST", f"/video/sessions/{session}/progress", report)).status == 200
    return {
        "session": session,
        "attempt": made.json["attemptId"],
        "course": ids.id_of_course("safety", "ann"),
        "lesson": ids.id_of_lesson("safety 1", "ann"),
    }


def filled(operation: Operation, given: Document) -> str:
    text = operation.text
    for name, value in given.items():
        text = text.replace(f"${name}", str(value))
    return text


async def test_every_operation_is_here(guarded: Api) -> None:
    listed = "{ __schema { queryType { fields { name } } mutationType { fields { name } } } }"
    schema = (await post(guarded, listed, bearer(PEOPLE["bob"]))).json["data"]["__schema"]
    fields = [*schema["queryType"]["fields"], *schema["mutationType"]["fields"]]
    assert {field["name"] for field in fields} == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_about_ann_is_for_those_who_may(guarded: Api, anns: Document, name: str) -> None:
    operation = OPERATIONS[name]
    for who, token in PEOPLE.items():
        answer = await post(guarded, filled(operation, anns), bearer(token))
        assert answer.status == 200, answer.body
        if who not in operation.passes:
            if isinstance(operation.others, str):
                assert reason_of(answer) == operation.others, (who, answer.body)
            else:
                assert answer.json == {"data": {name: operation.others}}, who
        elif name in REFUSED_TO_ALL:
            assert reason_of(answer) == REFUSED_TO_ALL[name]
        else:
            assert "errors" not in answer.json, (who, answer.body)
            assert answer.json["data"][name] not in (None, operation.others), who


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_key_needs_the_operations_scope(guarded: Api, anns: Document, name: str) -> None:
    operation = OPERATIONS[name]
    assert (await post(guarded, filled(operation, anns))).status == 401
    for scope, token in TOKENS.items():
        answer = await post(guarded, filled(operation, anns), bearer(token))
        reasons = [error["extensions"]["reason"] for error in answer.json.get("errors", ())]
        assert (reasons == ["missing_scope"]) == (scope not in INCLUDED[operation.scope]), answer.body


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one.passes != EVERYBODY])
async def test_what_is_anothers_is_told_as_what_is_not_there(guarded: Api, anns: Document, name: str) -> None:
    """All but the names that were asked for."""
    strange = {
        "session": "nobody",
        "attempt": 987654,
        "course": ids.id_of_course("safety", "nobody"),
        "lesson": ids.id_of_lesson("safety 1", "nobody"),
    }
    for who in ("bob", "stores"):
        known = await post(guarded, filled(OPERATIONS[name], anns), bearer(PEOPLE[who]))
        text = filled(OPERATIONS[name], strange).replace('"ann"', '"nobody"')
        unknown = await post(guarded, text, bearer(PEOPLE[who]))
        said = known.body.decode()
        for mine, theirs in zip(anns.values(), strange.values(), strict=True):
            said = said.replace(str(mine), str(theirs))

        if name != "syncSessions":  # who may not is told so, as by REST
            assert without_places(orjson.loads(said)) == without_places(unknown.json)


def without_places(answer: Document) -> Document:
    for error in answer.get("errors", ()):
        error.pop("locations")
    return answer


async def test_others_have_changed_nothing(guarded: Api, anns: Document) -> None:
    before = (await guarded.call("GET", "/v1/users/ann/movies", None, bearer(PEOPLE["ann"]))).body
    for who in ("bob", "sales", "stores"):
        for operation in OPERATIONS.values():
            if operation.scope is not Scope.READ:
                await post(guarded, filled(operation, anns), bearer(PEOPLE[who]))
    assert (await guarded.call("GET", "/v1/users/ann/movies", None, bearer(PEOPLE["ann"]))).body == before


async def test_nothing_leads_from_ones_own_to_anothers(guarded: Api, anns: Document) -> None:
    """Lists are of who asks, whatever is asked for."""
    admin: Any = Admin(guarded)
    await admin.call("POST", "/v1/assignments", orjson.dumps({"course": "safety", "user": "bob"}))
    listed = '{ listUserCoursesByCourseId(courseId: "safety") { items { user } } }'
    expected = {
        "ann": ["ann"], "bob": ["bob"], "sales": ["ann"], "stores": [], "admin": ["ann", "bob"],
    }  # fmt: skip
    for who, users in expected.items():
        answer = await post(guarded, listed, bearer(PEOPLE[who]))
        items = answer.json["data"]["listUserCoursesByCourseId"]["items"]
        assert sorted(one["user"] for one in items) == users, who


async def test_where_a_list_goes_on_tells_of_nobody_else(guarded: Api, anns: Document) -> None:
    """Pages are of those whom who asks may read, so none ends with another's name."""
    admin: Any = Admin(guarded)
    for user in ("aaron", "bob"):
        await admin.call("POST", "/v1/assignments", orjson.dumps({"course": "safety", "user": user}))
    for direction in ("ASC", "DESC"):
        listed = (
            f'{{ listUserCoursesByCourseId(courseId: "safety", limit: 1, sortDirection: {direction})'
            " { items { user } nextToken } }"
        )
        for who, users in (("sales", ["ann"]), ("stores", []), ("bob", ["bob"])):
            answer = await post(guarded, listed, bearer(PEOPLE[who]))
            found = answer.json["data"]["listUserCoursesByCourseId"]
            assert found == {"items": [{"user": user} for user in users], "nextToken": None}


async def test_pages_of_origins_that_may_are_told_so(emptied_redis_url: str) -> None:
    settings = Settings(cors_origins="https://a.example", shutdown_seconds=1)
    async with serving(settings, emptied_redis_url) as api:
        for method, path in (("OPTIONS", "/graphql"), ("POST", "/graphql"), ("GET", "/graphql")):
            answer = await api.call(method, path, b"{}", {**JSON, "Origin": "https://a.example"})
            assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


async def test_a_token_may_come_alone_as_from_clients_of_appsync(guarded: Api) -> None:
    answer = await post(guarded, '{ user(user: "ann") { movies } }', {"Authorization": PEOPLE["ann"]})
    assert answer.json == {"data": {"user": {"movies": 1}}}
    for wrong in ("Basic a.b", PEOPLE["ann"][:-3] + "xxx", "x"):
        assert (await post(guarded, "{ courses { nextCursor } }", {"Authorization": wrong})).status == 401


async def test_a_key_in_the_address_reads_and_writes_and_administers_nothing(
    guarded: Api, anns: Document
) -> None:
    path = f"/graphql?key={escaped(TOKENS[Scope.ADMIN])}"
    for name, reason in (("movie", None), ("heartbeat", None), ("assign", "no_key")):
        body = orjson.dumps({"query": filled(OPERATIONS[name], anns)})
        answer = await guarded.call("POST", path, body, JSON)
        assert [one["extensions"]["reason"] for one in answer.json.get("errors", ())] == (
            [reason] if reason else []
        )
