"""Which side a request is for, and what of it is a write."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import parse, print_ast

from service.moving.forwarding import Asked, Shape, Write, shape_of, with_ids, writes_of


def asked(query: str, name: str | None = None, **variables: Any) -> Asked:
    return Asked(query, parse(query), variables, name)


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        ("{ getUserCourse(id: 1) { id } listUserCoursesByCourseId(courseId: 1) { nextToken } }", Shape.OLD),
        ("{ alias: getUserLesson(id: 1) { id } __typename }", Shape.OLD),
        ("query { ...F } fragment F on Query { ... { getUserLesson(id: 1) { id } } }", Shape.OLD),
        ("{ getUserCourse: movie(slug: 1) { slug } }", Shape.OWN),
        ("{ __schema { types { name } } }", Shape.OWN),
        (
            "query { ...F movie(slug: 1) { slug } } fragment F on Query { getUserLesson(id: 1) { id } }",
            Shape.MIXED,
        ),
        ("mutation { createUserLessonProgress(input: {}) { id } startSession { id } }", Shape.MIXED),
        ("mutation { getUserCourse { id } }", Shape.OWN),
        ("subscription { onUpdateUserLesson(id: 1) { id } }", Shape.OWN),
    ],
)
def test_the_fields_that_are_asked_for_tell_whose_they_are(query: str, shape: Shape) -> None:
    assert shape_of(asked(query)) is shape


def test_of_several_operations_the_one_that_is_meant_counts() -> None:
    query = "query A { getUserLesson(id: 1) { id } } query B { movie(slug: 1) { slug } }"
    assert (shape_of(asked(query, "A")), shape_of(asked(query, "B"))) == (Shape.OLD, Shape.OWN)


def test_points_get_the_ids_that_they_lack() -> None:
    query = """
    mutation M($one: I, $two: I = {userLessonId: "b", progress: 2}, $at: Float = 3) {
      a: createUserLessonProgress(input: $one) { id }
      b: createUserLessonProgress(input: $two) { id }
      c: createUserLessonProgress(input: {userLessonId: "c", progress: $at, id: null}) { id }
      d: createUserLessonProgress(input: {userLessonId: "c", progress: $at, id: null}) { id }
      e: createUserLessonProgress(input: {userLessonId: "e", progress: 5, id: "e1"}) { id }
      f: updateUserLesson(input: {id: "f", progress: 6}) { id }
    }
    """
    named = with_ids(asked(query, one={"userLessonId": "a", "progress": 1, "id": "a1"}))
    writes = writes_of(named)
    assert [one[:3] for one in writes] == [
        ("a", "a", 1),
        ("b", "b", 2),
        ("c", "c", 3),
        ("d", "c", 3),
        ("e", "e", 5),
        ("f", "f", 6),
    ]
    points = {one.key: one.point for one in writes}
    assert (points["a"], points["e"], points["f"]) == ("a1", "e1", None)
    assert len({points["b"], points["c"], points["d"]} - {None}) == 3
    # What goes out says so, too.
    sent = asked(named.as_sent["query"], **named.as_sent["variables"])
    assert writes_of(sent) == writes


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": "x"}])
def test_an_id_that_a_variable_may_say_is_said_by_it(given: dict[str, Any]) -> None:
    """The old system refuses documents with a variable that is not used."""
    query = """mutation M($id: ID) {
        createUserLessonProgress(input: {id: $id, userLessonId: "a", progress: 1}) { id }
    }"""
    named = with_ids(asked(query, **given))
    assert "id: $id" in named.query
    [write] = writes_of(named)
    assert write.point == named.variables["id"] == (given.get("id") or write.point)
    assert write.point


def test_what_has_ids_goes_out_as_it_came() -> None:
    query = 'mutation{createUserLessonProgress(input:{id:"x",userLessonId:"a",progress:1}){id}}'
    assert with_ids(asked(query)).query == print_ast(parse(query))
    given = asked(
        "mutation M($i: I!) { createUserLessonProgress(input: $i) { id } }", i={"id": "x", "progress": 1}
    )
    assert with_ids(given).as_sent == given.as_sent
    assert writes_of(given) == [Write("createUserLessonProgress", "", 1, "x")]
