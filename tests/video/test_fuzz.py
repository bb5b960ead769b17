"""Whatever players send: never a 500, always as described, and what counts is right afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.test_fuzz import text, unhurried, values
from tests.video.players import call, pair, put_course, start

if TYPE_CHECKING:
    from tests.api.client import Api

REFUSALS = (400, 404, 409, 422)
seconds = st.integers(-1, 200) | st.floats(0, 200) | values
times = st.sampled_from(("2026-03-01T10:00:00Z", 1_790_000_000, 1e18, "0", -1, True)) | values


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of these fields; or something else."""
    return st.fixed_dictionaries({}, optional=fields) | values


segments = st.lists(
    some(clientEventId=text, startSecond=seconds, endSecond=seconds, speed=seconds, at=times), max_size=4
)
seeks = st.lists(
    some(
        clientEventId=text, fromSecond=seconds, toSecond=seconds, allowed=st.booleans(), reason=text, at=times
    ),
    max_size=3,
)
reports = some(segments=segments | values, seeks=seeks | values, sentAt=times)
openings = some(
    userId=st.just("fuzz") | text, lessonId=text, isAssigned=values, clientInfo=values, clientSessionId=text
)


@settings(unhurried, max_examples=40)  # each is ten calls
@given(report=reports, opening=openings, heartbeat=some(positionSecond=seconds, speed=seconds))
async def test_what_players_send_is_taken_or_refused(
    api: Api, report: Any, opening: Any, heartbeat: Any
) -> None:
    await put_course(api, "fuzz", "flag")
    player = await start(api, "fuzz", "fuzz", clientSessionId="fuzz")
    known = {"sessionId": player.session} | (report if isinstance(report, dict) else {})
    for made, body, parts in (
        ("report_progress", report, {"sessionId": player.session}),
        ("start_session", opening, {}),
        ("send_heartbeat", heartbeat, {"sessionId": player.session}),
        ("sync_sessions", {"sessions": [known, report, opening]}, {}),
    ):
        sent = json.dumps(body).encode()
        answer = await call(api, made, sent, **parts)
        assert answer.status == 200 or answer.status in REFUSALS, (sent, answer.body)
    before = await pair(api, "fuzz", "fuzz")
    again = await call(api, "report_progress", json.dumps(report).encode(), sessionId=player.session)
    if again.status == 200:
        assert again.json["accepted"] == 0
    after = await pair(api, "fuzz", "fuzz")
    assert after["watch_seconds"] == before["watch_seconds"]
    assert after["coverage"] == before["coverage"]
