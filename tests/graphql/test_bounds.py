"""What is too much, or not GraphQL, is refused before anything is asked, and told with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from graphql import build_schema, get_introspection_query
from structlog.testing import capture_logs

from service import limits
from service.api.courses import catalogue
from service.moving import ids
from tests.api.client import JSON, escaped
from tests.graphql.asking import ask, only, post, reason_of, refused
from tests.graphql.test_old_shapes import BY_COURSE
from tests.video.players import assign, put_course

if TYPE_CHECKING:
    from tests.api.client import Answer, Api

UP = "userLessons { items { userCourse { "
LISTED = 'listUserCoursesByCourseId(courseId: "x", limit: %s) { items { id userLessons(limit: %s) { items { id } } } }'


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f'{{ getUserCourse(id: 1) {{ {UP * 4} id {"}}}" * 4} }} }}', "too_deep"),
        ("{" + "".join(f"a{n}: {LISTED % (100, 100)} " for n in range(3)) + "}", "too_costly"),
        ("{" + "a{" * 400 + "a" + "}" * 401, "syntax_error"),
        ("{ " + "__typename " * (limits.GRAPHQL_FIELDS_MAX + 1) + "}", "too_many_fields"),
        ("{ " + "".join(f"a{n}: __typename " for n in range(limits.GRAPHQL_ALIASES_MAX + 1)) + "}", "too_many_aliases"),
        ("{" + "getUserCourse(id: 1) { id } " * (limits.GRAPHQL_REPEATED_MAX + 1) + "}", "too_many_fields"),
        (
            "{ __typename }" + " fragment F on Query { a }" * (limits.GRAPHQL_FRAGMENTS_MAX + 1),
            "too_many_fields",
        ),
        ("{ a" + " a" * limits.GRAPHQL_TOKENS_MAX + " }", "syntax_error"),
        ("{ __typename }" + " " * limits.GRAPHQL_QUERY_CHARS_MAX, "syntax_error"),
        ("{ __typename } #" + "x" * 100 + "\n#" * (limits.GRAPHQL_TOKENS_MAX + 1), "syntax_error"),
        ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "invalid_query"),
        ("{ nothing }", "invalid_query"),
        ("{ movie }", "invalid_query"),
        ("{", "syntax_error"),
        ("query A { __typename } query B { __typename }", "unknown_operation"),
        ("fragment A on Query { __typename }", "invalid_query"),
        ('subscription { onUpdateUserLesson(id: "x") { id } }', "wrong_operation"),
        ("query ($a: Long!) { why(attempt: $a) { user } }", "invalid_query"),
    ],
)  # fmt: skip
async def test_a_document_that_is_too_much_is_refused(api: Api, query: str, reason: str) -> None:
    answer = await post(api, query)
    assert (answer.status, answer.json["data"]) == (200, None)
    assert answer.json["errors"][0]["extensions"]["reason"] == reason


async def test_fragments_within_fragments_count_as_often_as_they_are_spread(api: Api) -> None:
    """Each spreads the next one ten times."""
    spread = [f"fragment F{n} on Query {{ {f'...F{n + 1} ' * 10} }}" for n in range(8)]
    last = "fragment F8 on Query { __typename }"
    assert await refused(api, " ".join(["{ ...F0 }", *spread, last])) in ("too_deep", "too_costly")


async def test_a_limit_is_what_counts_written_or_in_a_variable(api: Api) -> None:
    """What is small enough is answered."""
    listed = LISTED.replace("%s", "$n")
    asked = f"query ($n: Int = 100) {{ again: {listed} twice: {listed} {listed} }}"
    assert await refused(api, asked) == "too_costly"
    assert await refused(api, asked, n=1000) == "too_costly"
    assert await refused(api, asked, n=100.0) == "too_costly"  # a whole number, to GraphQL
    assert (await ask(api, asked, n=10))["again"] == {"items": []}


async def test_of_many_wrong_variables_some_are_told(api: Api) -> None:
    """Each of them took 50 us of all who wait."""
    asked = "query ($i: [String]) { listUserCoursesByCourseId(courseId: 1, createdAt: {between: $i}) { nextToken } }"
    assert len((await post(api, asked, i=[1] * 5000)).json["errors"]) == 11


async def test_lists_without_a_limit_are_counted_as_long_as_they_are(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have a hundred items each, within each other."""
    await put_course(api, name, lessons=3)
    await assign(api, name, "ann")
    listed = f'listUserCoursesByCourseId(courseId: "{name}")'
    monkeypatch.setattr("service.api.graphql.context.GRAPHQL_ITEMS_MAX", 3)
    await ask(api, f"{{ {listed} {{ items {{ id }} }} }}")
    few = f"{{ {listed} {{ items {{ userLessons(limit: 2) {{ items {{ id }} }} }} }} }}"
    await ask(api, few)
    assert await refused(api, few.replace("(limit: 2)", "")) == "too_costly"
    latest = 'createUserLessonProgress(input: {userLessonId: "%s", progress: 3}) { id }'
    await ask(api, f"mutation {{ {latest % ids.id_of_lesson(f'{name} 1', 'ann')} }}")
    told = few.replace("items { id }", "items { userLessonProgresses { items { id } } }")
    failed = (await post(api, told)).json["errors"]
    assert {one["extensions"]["reason"] for one in failed} == {"too_costly"}


async def test_the_schema_can_be_asked_for_and_is_told_as_text(api: Api) -> None:
    found = await ask(api, get_introspection_query())
    text = await api.get("/graphql/schema")
    schema = build_schema(text.body.decode())
    assert {one["name"] for one in found["__schema"]["types"]} == set(schema.type_map)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"{", "application/json", 400, "not_json"),
        (b'[{"query": "{ __typename }"}]', "application/json", 400, "batch_refused"),
        (b'"x"', "application/json", 400, "not_an_object"),
        (b"{}", "application/json", 400, "missing_field"),
        (b'{"query": 1}', "application/json", 400, "missing_field"),
        (b'{"query": "{ __typename }", "variables": []}', "application/json", 400, "wrong_type"),
        (b'{"query": "{ __typename }", "operationName": 1}', "application/json", 400, "wrong_type"),
        (b'{"query": "{ __typename }"}', "text/plain", 415, "not_json"),
        (b"query=x", "application/x-www-form-urlencoded", 415, "not_json"),
        (b'{"query": "' + b" " * limits.GRAPHQL_BODY_BYTES_MAX + b'"}', "application/json", 413, "too_large"),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    api: Api, body: bytes, content_type: str, status: int, reason: str
) -> None:
    answer = await api.call("POST", "/graphql", body, {"Content-Type": content_type})
    assert (answer.status, reason_of(answer)) == (status, reason)
    assert answer.headers["Content-Type"] == "application/json"


async def gotten(api: Api, query: str, rest: str = "") -> Answer:
    return await api.get(f"/graphql?query={escaped(query)}{rest}")


async def test_queries_may_stand_in_the_address_and_nothing_that_changes_anything(api: Api) -> None:
    variables = escaped(orjson.dumps({"c": "x"}).decode())
    answer = await gotten(
        api, "query A($c: ID!) { getCourse(id: $c) { id } }", f"&variables={variables}&operationName=A"
    )
    assert answer.json == {"data": {"getCourse": None}}
    change = 'mutation { createUserLessonProgress(input: { userLessonId: "x", progress: 1 }) { id } }'
    assert reason_of(await gotten(api, change)) == "wrong_operation"
    assert reason_of(await gotten(api, change, "&operationName=x")) == "unknown_operation"
    assert reason_of(await gotten(api, "{ __typename }", "&variables=x")) == "not_json"


async def test_who_looks_in_with_a_browser_is_told_what_is_here(api: Api) -> None:
    answer = await api.get("/graphql")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert b"/graphql/schema" in answer.body
    assert b"http" not in answer.body


async def test_what_nobody_foresaw_is_logged_and_not_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> Any:
        raise RuntimeError("the password is 1234")

    monkeypatch.setattr(catalogue, "course", broken)
    with capture_logs() as logs:
        answer = await post(api, '{ course(course: "x") { title } }')
    assert reason_of(answer) == "internal_error"
    assert b"1234" not in answer.body
    assert [line["event"] for line in logs] == ["graphql_failed"]


async def test_reasons_are_those_of_rest(api: Api, name: str) -> None:
    for query, path in (
        ("query ($n: ID!) { course(course: $n) { title } }", "/v1/courses/"),
        ("query ($n: ID!) { movie(slug: $n) { viewers } }", "/v1/movies/"),
        ("query ($n: ID!) { user(user: $n) { movies } }", "/v1/users/"),
    ):
        rest = (await api.get(path + escaped(name))).json
        [error] = (await post(api, query, n=name)).json["errors"]
        assert (error["extensions"]["reason"], error["message"]) == (rest["reason"], rest["detail"])


async def test_a_null_byte_in_a_name_is_refused_as_by_rest(api: Api) -> None:
    assert await refused(api, "query ($n: ID!) { course(course: $n) { title } }", n="a\0b") == "bad_name"
    told = "mutation ($i: SessionInput!) { startSession(input: $i) { sessionId } }"
    answer = await post(api, told, i={"userId": "a\0b", "lessonId": "x"})
    assert reason_of(answer) == "invalid_string"
    [rejected] = answer.json["errors"][0]["extensions"]["rejected"]
    assert rejected["field"] == "userId"


async def test_strange_ids_are_nobodys(api: Api) -> None:
    asked = """query ($n: ID!) {
      getUserCourse(id: $n) { id } getUserLesson(id: $n) { id } getCourse(id: $n) { id } getLesson(id: $n) { id }
    }"""
    for strange in ("a\0b", "x" * 5000, "course-", "lesson-AA", "-", ids.id_of_course("a", "b\0c")):
        assert set((await ask(api, asked, n=strange)).values()) == {None}
        assert only(await ask(api, BY_COURSE, courseId=strange)) == {"items": [], "nextToken": None}


async def test_metrics_count_operations(api: Api) -> None:
    await ask(api, "{ courses { nextCursor } }")
    text = (await api.call("GET", "/metrics", None, JSON)).body.decode()
    assert 'playhead_graphql_operations_total{field="courses"}' in text


async def test_one_answer_may_hold_what_was_found_and_what_failed(api: Api) -> None:
    answer = await post(
        api, '{ getCourse(id: "x") { id } getUserCourse(id: "x") { id } courses(limit: 0) { nextCursor } }'
    )
    assert answer.status == 200
    assert reason_of(answer) == "bad_limit"
