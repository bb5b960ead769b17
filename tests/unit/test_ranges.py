"""Which ranges of scopes an attempt should have."""

from __future__ import annotations

import pytest

from service.courses.watching.ranges import Beginning, Ending, Layout, OpenRange, Video, beginnings, endings

A1, A2, A2_SAME = Video("a", 1, "movie a"), Video("a", 2, "new movie a"), Video("a", 2, "movie a")
B1 = Video("b", 1, "movie b")
B1_SAME = Video("b", 1, "movie a")


def layout(wanted: set[Video], *had: OpenRange, parts: dict[Video, int] | None = None) -> Layout:
    return Layout(7, "safety", "ann", 1, bool(wanted), frozenset(wanted), had, parts)


CASES: dict[str, tuple[Layout, set[str], list[Ending], list[Beginning]]] = {
    "all is as it should be": (layout({A1}, OpenRange(A1, 1, 0)), set(), [], []),
    "closed, and nothing open": (layout(set()), set(), [], []),
    "opened": (
        layout({A1, B1}),
        {"movie a", "movie b"},
        [],
        [Beginning(7, "a", 1, 1, "ann", "movie a", 5), Beginning(7, "b", 1, 1, "ann", "movie b", 5)],
    ),
    "closed": (layout(set(), OpenRange(A1, 1, 2)), {"movie a"}, [Ending(7, "a", 1, 1, 4)], []),
    "closed after one scope": (
        layout(set(), OpenRange(A1, 1, 4)),
        {"movie a"},
        [Ending(7, "a", 1, 1, 4)],
        [],
    ),
    "closed, and nothing was watched": (
        layout(set(), OpenRange(A1, 1, 5)),
        {"movie a"},
        [Ending(7, "a", 1, 1, None)],
        [],
    ),
    "opened again": (
        layout({A1}, parts={A1: 2}),
        {"movie a"},
        [],
        [Beginning(7, "a", 1, 3, "ann", "movie a", 5)],
    ),
    "another video": (
        layout({A2}, OpenRange(A1, 1, 0), parts={A1: 1}),
        {"movie a", "new movie a"},
        [Ending(7, "a", 1, 1, 4)],
        [Beginning(7, "a", 2, 1, "ann", "new movie a", 5)],
    ),
    "another video under the same slug: one cut parts them": (
        layout({A2_SAME}, OpenRange(A1, 1, 0), parts={A1: 1}),
        {"movie a"},
        [Ending(7, "a", 1, 1, 4)],
        [Beginning(7, "a", 2, 1, "ann", "movie a", 5)],
    ),
    "a lesson more": (
        layout({A1, B1}, OpenRange(A1, 1, 0)),
        {"movie b"},
        [],
        [Beginning(7, "b", 1, 1, "ann", "movie b", 5)],
    ),
    "two lessons show one movie": (
        layout({A1, B1_SAME}),
        {"movie a"},
        [],
        [Beginning(7, "a", 1, 1, "ann", "movie a", 5), Beginning(7, "b", 1, 1, "ann", "movie a", 5)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_ranges_follow_what_is_wanted(name: str) -> None:
    """Where the movies that must be cut are then at scope 5."""
    one, slugs, ends, begins = CASES[name]
    numbers = dict.fromkeys(one.slugs, 5)
    assert (one.slugs, endings(one, numbers), beginnings(one, numbers)) == (slugs, ends, begins)
