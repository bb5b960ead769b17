"""A client of playhead's HTTP interface: what it sends goes out as it is written."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Mapping

    from aiohttp import ClientSession

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}

LARGE_BYTES_MIN = 64 * 1024

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def is_problem(self) -> bool:
        return (
            self.headers["Content-Type"] == "application/problem+json" and self.json["status"] == self.status
        )

    @property
    def rejection(self) -> Document:
        """The only one."""
        (rejected,) = self.json["rejected"]
        assert isinstance(rejected, dict)
        return rejected


@dataclass(frozen=True, slots=True)
class Api:
    session: ClientSession
    port: int

    async def call(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`path` goes out as it is: whoever calls has escaped it."""
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        if isinstance(body, bytes) and len(body) > LARGE_BYTES_MIN:
            data: object = BytesIO(body)  # so that much is sent piece by piece, and little in one go
        else:
            data = body
        async with self.session.request(
            method, url, data=data, headers=headers, skip_auto_headers=("Content-Type",)
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def send(
        self,
        body: bytes | AsyncIterable[bytes],
        headers: Mapping[str, str] = JSON,
        path: str = "/v1/events",
    ) -> Answer:
        return await self.call("POST", path, body, headers)

    async def post(self, events: object, **changed: str) -> Answer:
        """An event or a list of them, as JSON. `changed` are headers, `_` for `-`."""
        headers = JSON | {name.replace("_", "-"): value for name, value in changed.items()}
        return await self.send(orjson.dumps(events), headers)

    async def get(self, path: str) -> Answer:
        return await self.call("GET", path)

    async def movie(self, slug: str) -> Answer:
        return await self.get(f"/v1/movies/{escaped(slug)}")

    async def user(self, user: str) -> Answer:
        return await self.get(f"/v1/users/{escaped(user)}")

    async def movies(self, user: str, query: str = "") -> Answer:
        return await self.get(f"/v1/users/{escaped(user)}/movies{query}")

    async def pair(self, user: str, slug: str) -> Answer:
        return await self.get(f"/v1/users/{escaped(user)}/movies/{escaped(slug)}")

    async def events(self, slug: str = "dune") -> int:
        """How many events of a movie were counted."""
        answer = await self.movie(slug)
        if answer.status == 404:
            return 0
        assert answer.status == 200, answer.body
        count = answer.json["events"]
        assert isinstance(count, int)
        return count


def escaped(name: str) -> str:
    """A name as one piece of a path. A dot is escaped too: clients take `..` as a step up."""
    return quote(name, safe="").replace(".", "%2E")


def event(**fields: object) -> Document:
    """A valid event, with these fields changed, or left out where None; `from_` means `from`."""
    whole = {"user": "ann", "slug": "dune", "at": 4500} | {
        name.rstrip("_"): value for name, value in fields.items()
    }
    return {name: value for name, value in whole.items() if value is not None}


def lines(*events: object) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in events)
