"""Reads of live counters."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from service.api import shapes
from service.api.context import READER
from service.api.paging import bad_cursor, is_number, limit_of
from service.api.problems import answering

if TYPE_CHECKING:
    from service.counters.records import MovieRecord, PairRecord, UserRecord

CURSOR_DIGITS_MAX = 16
"""Just what a time in us has: what is longer need not be read to be refused."""


@answering
async def get_movie(request: web.Request) -> web.StreamResponse:
    slug = request.match_info["slug"]
    return _answer(movie_document(slug, await request.app[READER].movie(slug)))


@answering
async def get_user(request: web.Request) -> web.StreamResponse:
    user = request.match_info["user"]
    return _answer(user_document(user, await request.app[READER].user(user)))


@answering
async def get_pair(request: web.Request) -> web.StreamResponse:
    user, slug = request.match_info["user"], request.match_info["slug"]
    return _answer(pair_document(user, slug, *await request.app[READER].pair(user, slug)))


def movie_document(slug: str, record: MovieRecord) -> bytes:
    return orjson.dumps(shapes.movie(slug, record))


def user_document(user: str, record: UserRecord) -> bytes:
    return orjson.dumps(shapes.user(user, record))


def pair_document(user: str, slug: str, record: PairRecord, bitmap: bytes) -> bytes:
    return orjson.dumps(shapes.pair_with_coverage(user, slug, record, bitmap))


@answering
async def get_user_movies(request: web.Request) -> web.StreamResponse:
    """A page of "continue watching". One more pair is read than shown, to know whether another page follows."""
    user = request.match_info["user"]
    limit, after = limit_of(request), _cursor(request)
    found = await request.app[READER].recent_pairs(user, limit + 1, after)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = _spell_cursor(shown[-1].record.latest_us, shown[-1].slug)
    items = [shapes.pair(user, pair.slug, pair.record) for pair in shown]
    return _answer(orjson.dumps({"items": items, "next_cursor": following}))


def _answer(document: bytes) -> web.Response:
    return web.Response(body=document, content_type="application/json")


def _cursor(request: web.Request) -> tuple[int, str] | None:
    given = request.query.get("cursor")
    if given is None:
        return None
    try:
        time_us, _, slug = urlsafe_b64decode(given.encode()).decode().partition(":")
    except ValueError:
        time_us, slug = "", ""
    if not (slug and is_number(time_us, CURSOR_DIGITS_MAX)):
        raise bad_cursor(given)
    return int(time_us), slug


def _spell_cursor(time_us: int, slug: str) -> str:
    return urlsafe_b64encode(f"{time_us}:{slug}".encode()).decode()
