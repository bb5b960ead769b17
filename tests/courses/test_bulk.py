"""Many assignments at once: an array, or a CSV that is done while it arrives."""

from __future__ import annotations

import asyncio
import codecs
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service import limits
from service.api.courses.calls import COURSE_CALLS
from service.settings import Settings
from tests.api.client import JSON, escaped
from tests.api.conftest import serving
from tests.api.test_openapi import conforms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.client import Answer, Api

POST = next(call for call in COURSE_CALLS if call.name == "post_assignments")
CSV = {"Content-Type": "text/csv; charset=utf-8"}


@pytest.fixture
async def course(api: Api, name: str) -> str:
    """One that may be assigned; its name needs no quotes."""
    answer = await api.call(
        "PUT", f"/v1/courses/{escaped(name)}", orjson.dumps({"title": "T", "lessons": []}), JSON
    )
    assert answer.status == 200, answer.body
    return name


async def send(api: Api, text: str | bytes) -> Answer:
    answer = await api.send(text.encode() if isinstance(text, str) else text, CSV, "/v1/assignments")
    conforms(POST, answer)
    return answer


async def post(api: Api, wishes: object) -> Answer:
    answer = await api.send(orjson.dumps(wishes), JSON, "/v1/assignments")
    conforms(POST, answer)
    return answer


async def assigned(api: Api, course: str) -> list[str]:
    path = f"/v1/assignments?limit=100&course={escaped(course)}"
    return [one["user"] for one in (await api.get(path)).json["items"]]


def counts(answer: Answer) -> tuple[int, int, int, int]:
    found = answer.json
    return found["assigned"], found["changed"], found["unchanged"], len(found["rejected"])


async def test_one_bad_wish_spoils_no_other(api: Api, course: str) -> None:
    wishes: list[Any] = [
        {"course": course, "user": "ann"},
        {"course": "none", "user": "ann"},
        {"course": course},
        3,
        {"course": course, "user": "bob", "due": "31.12.2026"},
        {"course": course, "user": "bob", "due": "2026-12-31T18:00:00"},
        {"course": course, "user": "bob", "due": "2026-02-30"},
        {"course": course, "user": "bob", "due": "2226-01-01"},
        {"course": course, "user": "bob", "time_zone": "Mars/Olympus"},
        {"course": course, "user": "bob", "dew": "2026-12-31"},
        {"course": course, "user": ""},
        {"course": course, "user": "bob", "due": "2026-12-31"},
    ]
    answer = await post(api, wishes)
    assert (answer.status, counts(answer)) == (200, (2, 0, 0, 10))
    assert [(one["index"], one["field"], one["reason"]) for one in answer.json["rejected"]] == [
        (1, "course", "unknown_course"),
        (2, "user", "missing_field"),
        (3, "", "not_an_object"),
        (4, "due", "invalid_time"),
        (5, "due", "invalid_time"),
        (6, "due", "invalid_time"),
        (7, "due", "out_of_range"),
        (8, "time_zone", "unknown_time_zone"),
        (9, "dew", "unknown_field"),
        (10, "user", "empty"),
    ]
    assert await assigned(api, course) == ["ann", "bob"]
    assert counts(await post(api, wishes)) == (0, 0, 2, 10)


async def test_where_all_are_refused_the_answer_is_422(api: Api) -> None:
    for wishes in ({"course": "none", "user": "ann"}, [{"course": "none", "user": "ann"}], 7, [None]):
        answer = await post(api, wishes)
        assert (answer.status, len(answer.json["rejected"])) == (422, 1)
    lines = await send(api, "course,user\nnone,ann\n")
    assert (lines.status, lines.json["rejected"][0]["line"]) == (422, 2)


async def test_an_array_of_none_is_fine_and_one_of_too_many_is_not(api: Api) -> None:
    assert (await post(api, [])).status == 200
    answer = await post(api, [0] * (limits.ASSIGNMENTS_PER_BODY_MAX + 1))
    assert (answer.status, answer.json["reason"]) == (413, "too_many_assignments")


async def test_each_refused_line_is_named_and_the_others_are_done(api: Api, course: str) -> None:
    text = (
        "user, Course ,due,time_zone\n"
        f"ann,{course},2026-12-31,Europe/Berlin\n"
        "\n"
        f"bob,{course},,\n"
        f'"Zoë, of ""sales""",{course},2026-12-31T10:00:00Z,\n'
        f"eve,none,,\n"
        f"eve,{course}\n"
        f'"eve,{course},,\n'
        f"eve,{course},tomorrow,\n"
        f",{course},,\r\n"
        f"max,{course},,"
    )
    answer = await send(api, text)
    assert (answer.status, counts(answer)) == (200, (4, 0, 0, 5))
    assert [(one["line"], one["field"], one["reason"]) for one in answer.json["rejected"]] == [
        (6, "course", "unknown_course"),
        (7, "", "wrong_columns"),
        (8, "", "not_csv"),
        (9, "due", "invalid_time"),
        (10, "user", "missing_field"),
    ]
    assert await assigned(api, course) == ['Zoë, of "sales"', "ann", "bob", "max"]
    assert counts(await send(api, text)) == (0, 0, 4, 5)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_what_spreadsheets_write_is_read(api: Api, course: str, delimiter: str) -> None:
    lines = [["course", "user", "due"], [course, "ann", "2026-12-31"], [course, "bob", ""]]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    answer = await send(api, codecs.BOM_UTF8 + text.encode())
    assert counts(answer) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"ann,bob\n",
        b"course\nsafety\n",
        b"course,user,user\n",
        b"course,user,team\n",
        "course,user\nsafety,ann\n".encode("utf-16"),
        b"\xff\xfe",
        b"x" * 100_000,
    ],
)
async def test_a_file_that_does_not_name_its_columns_is_refused(api: Api, text: bytes) -> None:
    answer = await send(api, text)
    assert (answer.status, answer.json["reason"]) == (400, "bad_header")
    assert len(answer.json["detail"]) < 300


async def test_a_line_that_cannot_be_read_costs_itself_alone(api: Api, course: str) -> None:
    lines = [
        b"course,user",
        course.encode() + b",ann",
        course.encode() + b",\xff",
        course.encode() + b"," + b"x" * limits.CSV_LINE_BYTES_MAX,
        course.encode() + b",a\0b",
        course.encode() + b",bob",
    ]
    answer = await send(api, b"\n".join(lines))
    assert counts(answer) == (2, 0, 0, 3)
    assert [one["line"] for one in answer.json["rejected"]] == [3, 4, 5]


async def test_a_file_of_thousands_is_done_in_runs_however_it_is_cut(api: Api, course: str) -> None:
    users = [f"user {number:04}" for number in range(2 * limits.ASSIGN_RUN_MAX + 7)]
    text = "course,user\n" + "".join(f"{course},{user}\n" for user in users)

    async def dripping() -> AsyncIterator[bytes]:
        whole = text.encode()
        for start in range(0, len(whole), 4999):
            yield whole[start : start + 4999]

    answer = await api.send(dripping(), CSV, "/v1/assignments")
    assert counts(answer) == (len(users), 0, 0, 0)
    assert counts(await send(api, text)) == (0, 0, len(users), 0)
    assert await assigned(api, course) == users[:100]


async def test_the_same_file_from_two_at_the_same_moment_assigns_once(api: Api, course: str) -> None:
    text = "course,user\n" + "".join(f"{course},user {number}\n" for number in range(300))
    first, second = await asyncio.gather(send(api, text), send(api, text))
    assert counts(first)[0] + counts(second)[0] == 300
    assert counts(first)[2] + counts(second)[2] == 300


async def test_of_a_file_that_stops_coming_is_said_what_was_done(
    emptied_redis_url: str, module_database_url: str, api: Api, course: str
) -> None:
    settings = Settings(body_timeout_seconds=0.05, shutdown_seconds=1)
    stop = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        lines = "".join(f"{course},user {number}\n" for number in range(limits.ASSIGN_RUN_MAX))
        yield f"course,user\n{lines}".encode()
        await stop.wait()

    async with serving(settings, emptied_redis_url, module_database_url) as other:
        answer = await other.send(stalled(), CSV, "/v1/assignments")
        stop.set()
    conforms(POST, answer)
    assert (answer.status, answer.json["reason"]) == (408, "body_timeout")
    assert counts(answer) == (limits.ASSIGN_RUN_MAX, 0, 0, 0)


async def test_a_file_of_mistakes_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.courses.assigning.STREAM_REJECTIONS_MAX", 600)
    answer = await send(api, "course,user\n" + "none,ann\n" * 5000)
    assert (answer.status, answer.json["reason"]) == (413, "too_many_rejections")
    assert len(answer.json["rejected"]) == 1000
