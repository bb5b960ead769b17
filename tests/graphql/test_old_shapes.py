"""A client of the old system's schema: what it asks and says, as code generators wrote it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.moving import ids
from tests.graphql.asking import ask, only, post, reason_of, refused
from tests.moving.statements import counted
from tests.video.players import assign, put_course, start

if TYPE_CHECKING:
    from tests.api.client import Api, Document

COURSE = """
query GetUserCourse($id: ID!) {
  getUserCourse(id: $id) {
    id courseId user status dueDate dateStarted dateCompleted dateLastViewed lastCompletedDate createdAt updatedAt
    course { id title }
    userLessons(limit: 100) {
      items {
        id userCourseId lessonId progress maxProgress status dateStarted dateCompleted dateLastViewed user
        lesson { id slug title duration }
        userCourse { id }
        userLessonProgresses(limit: 3) { items { id userLessonId progress owner createdAt } nextToken }
        __typename
      }
      nextToken
    }
    __typename
  }
}
"""
BY_COURSE = """
query ListUserCoursesByCourseId(
  $courseId: ID!, $createdAt: ModelStringKeyConditionInput, $sortDirection: ModelSortDirection,
  $filter: ModelUserCourseFilterInput, $limit: Int, $nextToken: String
) {
  listUserCoursesByCourseId(
    courseId: $courseId, createdAt: $createdAt, sortDirection: $sortDirection, filter: $filter, limit: $limit,
    nextToken: $nextToken
  ) {
    items { id user status createdAt course { title } userLessons { items { id progress lesson { title } } } }
    nextToken
  }
}
"""
CREATE = """
mutation CreateUserLessonProgress(
  $input: CreateUserLessonProgressInput!, $condition: ModelUserLessonProgressConditionInput
) {
  createUserLessonProgress(input: $input, condition: $condition) {
    id userLessonId progress owner createdAt updatedAt userLesson { id progress maxProgress }
  }
}
"""
UPDATE = """
mutation UpdateUserLesson($input: UpdateUserLessonInput!, $condition: ModelUserLessonConditionInput) {
  updateUserLesson(input: $input, condition: $condition) { id progress maxProgress status dateCompleted }
}
"""
LESSON = "query GetUserLesson($id: ID!) { getUserLesson(id: $id) { id progress maxProgress status user } }"
POINTS = """
query Points($id: ID!, $limit: Int, $token: String) {
  listUserLessonProgress(userLessonId: $id, limit: $limit, nextToken: $token) { items { id progress } nextToken }
}
"""


async def given(api: Api, name: str, *users: str) -> tuple[str, str]:
    """A course of two lessons for Ann, or for these: the ids of what the first has of it and of its first lesson."""
    await put_course(api, name, lessons=2)
    for user in users or ("ann",):
        await assign(api, name, user)
    first = (users or ("ann",))[0]
    return ids.id_of_course(name, first), ids.id_of_lesson(f"{name} 1", first)


async def point(api: Api, lesson: str, progress: float, **more: object) -> Document:
    told = {"userLessonId": lesson, "progress": progress, "owner": "ann", **more}
    made = only(await ask(api, CREATE, input=told))
    assert isinstance(made, dict)
    return made


async def test_a_course_is_read_as_it_stands_now(api: Api, name: str) -> None:
    course, lesson = await given(api, name)
    player = await start(api, name)
    await player.play((0, 30))
    await player.play((10, 15))
    found = only(await ask(api, COURSE, id=course))
    assert (found["id"], found["courseId"], found["user"], found["status"]) == (
        course,
        name,
        "ann",
        "InProgress",
    )
    assert found["course"] == {"id": name, "title": "T"}
    assert (found["dueDate"], found["dateCompleted"], found["__typename"]) == (None, None, "UserCourse")
    first, second = found["userLessons"]["items"]
    assert (first["id"], first["progress"], first["maxProgress"], first["status"]) == (
        lesson,
        15,
        30,
        "InProgress",
    )
    assert first["lesson"] == {"id": f"{name} 1", "slug": f"{name} video 1", "title": "L", "duration": 100}
    assert first["userCourse"] == {"id": course}
    assert first["dateLastViewed"] == found["dateLastViewed"]
    [latest] = first["userLessonProgresses"]["items"]
    assert (latest["progress"], latest["userLessonId"], latest["owner"]) == (15, lesson, "ann")
    assert (second["progress"], second["status"], second["dateStarted"]) == (0, "Assigned", None)


async def test_points_count_as_heartbeats_do(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    made = await point(api, lesson, 10, id=f"{name} p1")
    assert (made["id"], made["progress"], made["userLesson"]["progress"]) == (f"{name} p1", 10, 10)
    await point(api, lesson, 25)
    await point(api, lesson, 25, id=f"{name} p1")
    pair = (await api.pair("ann", f"{name} video 1")).json
    assert (pair["watch_seconds"], pair["coverage"], pair["latest"]["at"]) == (25, [[0, 25]], 25)


async def test_a_lesson_that_is_updated_is_believed_its_position_alone(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    claimed = {"status": "Completed", "maxProgress": 100, "dateCompleted": "2026-01-01T00:00:00.000Z"}
    told = {"id": lesson, "progress": 12.5, **claimed}
    found = only(await ask(api, UPDATE, input=told))
    assert found == {
        "id": lesson, "progress": 12.5, "maxProgress": 12.5, "status": "InProgress", "dateCompleted": None,
    }  # fmt: skip
    assert only(await ask(api, UPDATE, input={"id": lesson, "status": "Assigned"})) == found


async def test_each_mutation_of_a_request_is_told_what_is_so_after_it(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    asked = """mutation ($id: ID!) {
      a: updateUserLesson(input: { id: $id, progress: 10 }) { progress }
      b: updateUserLesson(input: { id: $id, progress: 20 }) { progress }
      c: createUserLessonProgress(input: { userLessonId: $id, progress: 30 }) { userLesson { progress } }
    }"""
    assert await ask(api, asked, id=lesson) == {
        "a": {"progress": 10}, "b": {"progress": 20}, "c": {"userLesson": {"progress": 30}},
    }  # fmt: skip


async def test_a_completed_course_says_when(api: Api, name: str) -> None:
    course, lesson = await given(api, name)
    player = await start(api, name)
    await player.play((0, 100))
    found = only(await ask(api, LESSON, id=lesson))
    assert (found["status"], found["progress"]) == ("Completed", 100)
    assert only(await ask(api, COURSE, id=course))["status"] == "InProgress"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"progress": -1}, "negative_position"),
        ({"progress": 500}, "past_the_end"),
        ({"userLessonId": "nobody's"}, "not_found"),
        ({"id": "x" * 300}, "invalid_string"),
    ],
)
async def test_a_point_that_cannot_be_is_refused(api: Api, name: str, changed: Document, reason: str) -> None:
    _, lesson = await given(api, name)
    assert await refused(api, CREATE, input={"userLessonId": lesson, "progress": 1} | changed) == reason


async def test_what_is_not_there_is_null(api: Api, name: str) -> None:
    for query, wrong in ((COURSE, "x"), (LESSON, "x"), (COURSE, ids.id_of_course(name, "ann"))):
        assert only(await ask(api, query, id=wrong)) is None
    assert only(await ask(api, BY_COURSE, courseId=name)) == {"items": [], "nextToken": None}
    assert only(await ask(api, POINTS, id="x")) == {"items": [], "nextToken": None}


async def test_a_list_is_sorted_bounded_filtered_and_goes_on(api: Api, name: str) -> None:
    users = [f"user {number}" for number in range(4)]
    await given(api, name, *users)
    whole = only(await ask(api, BY_COURSE, courseId=name))["items"]
    assert [one["user"] for one in whole] == users
    down = only(await ask(api, BY_COURSE, courseId=name, sortDirection="DESC"))["items"]
    assert down == whole[::-1]
    for direction, expected in (("ASC", whole), ("DESC", down)):
        heard, token = [], None
        while True:
            page = only(
                await ask(api, BY_COURSE, courseId=name, limit=3, nextToken=token, sortDirection=direction)
            )
            heard += page["items"]
            if (token := page["nextToken"]) is None:
                break
        assert heard == expected
    times = [one["createdAt"] for one in whole]
    for condition, expected in {
        "eq": users[1:2], "lt": users[:1], "le": users[:2], "gt": users[2:], "ge": users[1:],
    }.items():  # fmt: skip
        page = only(await ask(api, BY_COURSE, courseId=name, createdAt={condition: times[1]}))
        assert [one["user"] for one in page["items"]] == expected, condition
    between = only(await ask(api, BY_COURSE, courseId=name, createdAt={"between": times[1:3]}))
    assert [one["user"] for one in between["items"]] == users[1:3]
    wanted = {"user": {"eq": users[2]}, "status": {"ne": "Completed"}}
    assert [
        one["user"] for one in only(await ask(api, BY_COURSE, courseId=name, filter=wanted))["items"]
    ] == users[2:3]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"limit": 0}, "bad_limit"),
        ({"nextToken": "x"}, "bad_cursor"),
        ({"createdAt": {"eq": "yesterday"}}, "invalid_time"),
        ({"createdAt": {"beginsWith": "2026"}}, "not_supported"),
        ({"createdAt": {}}, "bad_query"),
        ({"sortDirection": "UP"}, "invalid_query"),
    ],
)
async def test_what_cannot_be_asked_is_told(api: Api, name: str, given: Document, reason: str) -> None:
    assert await refused(api, BY_COURSE, courseId=name, **given) == reason


async def test_points_are_told_latest_first_from_what_is_kept(api: Api, name: str) -> None:
    """The latest one at once; here nothing flushes, so that is all there is."""
    _, lesson = await given(api, name)
    assert only(await ask(api, POINTS, id=lesson)) == {"items": [], "nextToken": None}
    await point(api, lesson, 10)
    await point(api, lesson, 20)
    assert [one["progress"] for one in only(await ask(api, POINTS, id=lesson))["items"]] == [20]
    ascending = (
        "query ($id: ID!) { listUserLessonProgress(userLessonId: $id, sortDirection: ASC) { nextToken } }"
    )
    assert await refused(api, ascending, id=lesson) == "not_supported"


async def test_fifty_courses_cost_as_many_statements_as_one(
    api: Api, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await given(api, name, *(f"user {number}" for number in range(50)))
    nested = BY_COURSE.replace(
        "lesson { title }", "lesson { title } userLessonProgresses { items { progress } } userCourse { id }"
    )
    counts = []
    for size in (1, 50):
        with counted(monkeypatch) as said:
            page = only(await ask(api, nested, courseId=name, limit=size))
        assert len(page["items"]) == size
        assert all(len(one["userLessons"]["items"]) == 2 for one in page["items"])
        counts.append(len(said))
    assert counts[0] == counts[1] > 5


async def test_conditions_are_refused(api: Api, name: str) -> None:
    _, lesson = await given(api, name)
    told = {"userLessonId": lesson, "progress": 1}
    answer = await post(api, CREATE, input=told, condition={"userLessonId": {"eq": "x"}})
    assert reason_of(answer) == "not_supported"
    await ask(api, CREATE, input=told, condition=None)


async def test_fields_of_one_answer_share_their_reads(api: Api, name: str) -> None:
    course, _ = await given(api, name)
    many = " ".join(f'a{number}: getUserCourse(id: "{course}") {{ id }}' for number in range(20))
    found, one = await asyncio.gather(ask(api, f"{{ {many} }}"), ask(api, COURSE, id=course))
    assert {answer["id"] for answer in found.values()} == {only(one)["id"]}
