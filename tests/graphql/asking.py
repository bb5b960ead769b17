"""A client of `/graphql`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tests.api.client import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.api.client import Answer, Api, Document


async def post(
    api: Api, query: str, headers: Mapping[str, str] | None = None, /, **variables: object
) -> Answer:
    body = orjson.dumps({"query": query, "variables": variables})
    return await api.call("POST", "/graphql", body, JSON | dict(headers or {}))


async def ask(
    api: Api, query: str, headers: Mapping[str, str] | None = None, /, **variables: object
) -> Document:
    """The `data` of an answer in which nothing failed."""
    answer = await post(api, query, headers, **variables)
    assert answer.status == 200, answer.body
    assert "errors" not in answer.json, answer.json["errors"]
    found = answer.json["data"]
    assert isinstance(found, dict)
    return found


async def refused(
    api: Api, query: str, headers: Mapping[str, str] | None = None, /, **variables: object
) -> str:
    """The reason of the one failure of an answer."""
    return reason_of(await post(api, query, headers, **variables))


def reason_of(answer: Answer) -> str:
    [error] = answer.json["errors"]
    reason = error["extensions"]["reason"]
    assert isinstance(reason, str)
    return reason


def only(data: Document) -> Any:
    """The answer to the one field that was asked for."""
    [found] = data.values()
    return found
