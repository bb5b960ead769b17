"""Sending an event again changes nothing, and says so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.settings import Settings
from tests.api.client import NDJSON, event, lines
from tests.api.deadline import until

if TYPE_CHECKING:
    from tests.api.client import Api, Document
    from tests.api.conftest import Serve

SAFE = [{"id": "e1"}, {"session": "s1", "seq": 7}, {"seq": 0}, {"id": "e1", "session": "s1", "seq": 7}]


async def everything(api: Api) -> list[Document]:
    answers = (
        await api.movie("dune"),
        await api.user("ann"),
        await api.pair("ann", "dune"),
        await api.movies("ann"),
    )
    return [answer.json for answer in answers]


@pytest.mark.parametrize("fields", SAFE, ids=str)
async def test_the_second_of_two_is_a_duplicate_and_changes_nothing(api: Api, fields: Document) -> None:
    first = await api.post(event(**fields))
    before = await everything(api)
    again = await api.post(event(**fields))
    assert again.status == 200
    assert again.json == {"accepted": 0, "duplicates": 1, "rejected": [], "state": first.json["state"]}
    assert await everything(api) == before


@pytest.mark.parametrize("fields", SAFE, ids=str)
async def test_what_else_a_duplicate_says_means_nothing(api: Api, fields: Document) -> None:
    await api.post(event(**fields))
    before = await everything(api)
    other = event(**fields, kind="claim", segments=[[0, 9000]], at=9000, duration=9000, speed=2)
    assert (await api.post(other)).json["duplicates"] == 1
    assert await everything(api) == before


@pytest.mark.parametrize("fields", SAFE, ids=str)
async def test_a_duplicate_is_known_within_one_batch(api: Api, fields: Document) -> None:
    answer = await api.post([event(**fields)] * 5)
    assert answer.json == {"accepted": 1, "duplicates": 4, "rejected": []}
    answer = await api.send(lines(*[event(**fields)] * 5), NDJSON)
    assert answer.json == {"accepted": 0, "duplicates": 5, "rejected": []}


@pytest.mark.parametrize("fields", SAFE, ids=str)
async def test_of_many_at_the_same_moment_one_counts(api: Api, fields: Document) -> None:
    answers = await asyncio.gather(*(api.post(event(**fields)) for _ in range(50)))
    assert sum(answer.json["accepted"] for answer in answers) == 1
    assert sum(answer.json["duplicates"] for answer in answers) == 49
    assert await api.events() == 1


async def test_events_without_id_and_seq_are_never_duplicates(api: Api) -> None:
    answer = await api.post([event()] * 3)
    assert answer.json["accepted"] == 3
    assert await api.events() == 3


async def test_an_id_is_one_users(api: Api) -> None:
    answer = await api.post([event(user="ann", id="e1"), event(user="bob", id="e1")])
    assert answer.json["accepted"] == 2


async def test_an_id_is_one_users_on_every_movie(api: Api) -> None:
    await api.post(event(slug="dune", id="e1"))
    answer = await api.post(event(slug="arrival", id="e1"))
    assert answer.json["duplicates"] == 1
    assert answer.json["state"] == answer.json["state"] | {
        "slug": "arrival",
        "latest": None,
        "watch_seconds": 0,
    }
    assert (await api.movie("arrival")).status == 404


async def test_a_seq_is_one_sessions(api: Api) -> None:
    answer = await api.post(
        [
            event(session="s1", seq=1),
            event(session="s2", seq=1),
            event(slug="arrival", session="s1", seq=1),
            event(user="bob", session="s1", seq=1),
            event(seq=1),
        ]
    )
    assert answer.json["accepted"] == 5


async def test_a_seq_may_come_late_but_not_too_late(api: Api) -> None:
    answer = await api.post([event(seq=5000), event(seq=4999), event(seq=5000 - 1023)])
    assert answer.json["accepted"] == 3
    assert (await api.post(event(seq=5000 - 1024))).json["duplicates"] == 1


async def test_a_rejected_event_does_not_use_up_its_id(api: Api) -> None:
    await api.post(event(id="e1", at=-1))
    assert (await api.post(event(id="e1"))).json["accepted"] == 1


async def test_an_id_is_forgotten_when_its_window_has_passed(serve: Serve) -> None:
    api = await serve(Settings(idempotency_window_seconds=1, shutdown_seconds=1))
    started = asyncio.get_running_loop().time()
    assert (await api.post(event(id="e1"))).json["accepted"] == 1
    assert (await api.post(event(id="e1"))).json["duplicates"] == 1

    async def accepted() -> object:
        return (await api.post(event(id="e1"))).json["accepted"]

    await until(accepted, equals=1)
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert await api.events() == 2


async def test_an_answer_that_was_lost_is_given_again(api: Api) -> None:
    """The client hangs up before it hears; the same id tells it later that the event counted."""
    sending = asyncio.create_task(api.post(event(id="e1")))
    await until(api.events, equals=1)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert (await api.post(event(id="e1"))).json["duplicates"] == 1
