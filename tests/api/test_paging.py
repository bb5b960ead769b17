"""Pages of a user's movies, latest first."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from service.limits import PAGE_DEFAULT, PAGE_MAX
from tests.api.client import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api, Document

START_S = 1_790_000_000
SLUGS = [f"movie {number:03} 🎬" for number in range(250)]

TIMES: dict[str, Callable[[int], int]] = {
    "different": lambda number: START_S + number,
    "equal": lambda _: START_S,
    "in clumps": lambda number: START_S + number // 60,
}


async def turn_pages(api: Api, limit: int | None = None) -> list[list[Document]]:
    pages, cursor = [], None
    while True:
        query = "&".join(
            [
                *([f"limit={limit}"] if limit else []),
                *([f"cursor={quote(cursor, safe='')}"] if cursor else []),
            ]
        )
        answer = await api.movies("ann", f"?{query}" if query else "")
        assert answer.status == 200, answer.body
        pages.append(answer.json["items"])
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return pages
        assert len(pages) <= len(SLUGS)


def latest_first(times: Callable[[int], int]) -> list[str]:
    """At the same moment by slug, descending."""
    numbered = sorted(((times(number), slug) for number, slug in enumerate(SLUGS)), reverse=True)
    return [slug for _, slug in numbered]


@pytest.mark.parametrize("limit", [None, 1, 7, 50, PAGE_MAX])
@pytest.mark.parametrize("times", TIMES)
async def test_each_movie_is_on_one_page_latest_first(api: Api, times: str, limit: int | None) -> None:
    await api.post([event(slug=slug, ts=TIMES[times](number)) for number, slug in enumerate(SLUGS)])
    pages = await turn_pages(api, limit)
    assert [item["slug"] for page in pages for item in page] == latest_first(TIMES[times])
    assert all(len(page) == (limit or PAGE_DEFAULT) for page in pages[:-1])
    assert pages[-1]


async def test_movies_that_were_only_opened_come_last(api: Api) -> None:
    await api.post(
        [event(slug="opened", kind="load"), event(slug="watched", ts=START_S), event(slug="b", kind="load")]
    )
    assert [item["slug"] for page in await turn_pages(api, 1) for item in page] == ["watched", "opened", "b"]


async def test_what_moves_up_meanwhile_is_not_lost_from_the_pages_below(api: Api) -> None:
    """The page below goes on from where the page before ended, not from the 51st of those there are now."""
    await api.post([event(slug=slug, ts=START_S + number) for number, slug in enumerate(SLUGS)])
    first = await api.movies("ann", "?limit=50")
    await api.post([event(slug=SLUGS[0], ts=START_S + 1000), event(slug="new", ts=START_S + 1000)])
    second = await api.movies("ann", f"?limit=50&cursor={quote(first.json['next_cursor'])}")
    assert [item["slug"] for item in second.json["items"]] == SLUGS[::-1][50:100]


async def test_a_cursor_outlives_the_movie_it_names(api: Api) -> None:
    await api.post([event(slug=slug, ts=START_S) for slug in ("a", "b", "c")])
    first = await api.movies("ann", "?limit=2")
    await api.post(event(slug="b", ts=START_S + 5))
    second = await api.movies("ann", f"?cursor={quote(first.json['next_cursor'])}")
    assert [item["slug"] for item in second.json["items"]] == ["a"]


async def test_the_last_page_may_be_full(api: Api) -> None:
    await api.post([event(slug=slug) for slug in SLUGS[:PAGE_DEFAULT]])
    answer = await api.movies("ann")
    assert (len(answer.json["items"]), answer.json["next_cursor"]) == (PAGE_DEFAULT, None)


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1.5", "1e1", "ten", "", "%20", "%D9%A3", "9" * 5000])
async def test_a_limit_that_is_none_is_400(api: Api, limit: str) -> None:
    await api.post(event())
    answer = await api.movies("ann", f"?limit={limit}")
    assert (answer.status, answer.json["reason"], answer.is_problem) == (400, "bad_limit", True)
    assert f"from 1 to {PAGE_MAX}" in answer.json["detail"]
    assert len(answer.json["detail"]) < 200


def spelled(cursor: str) -> str:
    return urlsafe_b64encode(cursor.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%ff",
        "AAAA",
        "*" * 1000,
        spelled("soon:dune"),
        spelled("17"),
        spelled("-1:dune"),
        spelled("1.5:dune"),
        spelled("9" * 30 + ":dune"),
        spelled("9" * 400 + ":dune"),
        spelled("9" * 5000 + ":dune"),
        spelled("\u0663:dune"),
        spelled("1_0:dune"),
        spelled(" 1:dune"),
    ],
    ids=lambda cursor: cursor[:12],
)
async def test_a_cursor_that_is_none_is_400(api: Api, cursor: str) -> None:
    await api.post(event())
    answer = await api.movies("ann", f"?cursor={cursor}")
    assert (answer.status, answer.json["reason"], answer.is_problem) == (400, "bad_cursor", True)
    assert len(answer.json["detail"]) < 200


async def test_pages_of_a_user_never_seen_are_404(api: Api) -> None:
    assert (await api.movies("ann")).status == 404
    assert (await api.movies("ann", f"?cursor={spelled('5:dune')}")).status == 404
