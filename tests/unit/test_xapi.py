"""What video players say in xAPI, and what playhead makes of it."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service.events.decode import decode_body
from service.events.event import Event
from service.events.xapi import Refused, event_of

if TYPE_CHECKING:
    from pathlib import Path

EXTENSION = "https://w3id.org/xapi/video/extensions/"
PLAYED = "https://w3id.org/xapi/video/verbs/played"
PAUSED = "https://w3id.org/xapi/video/verbs/paused"
SEEKED = "https://w3id.org/xapi/video/verbs/seeked"
INITIALIZED = "http://adlnet.gov/expapi/verbs/initialized"
INTERACTED = "http://adlnet.gov/expapi/verbs/interacted"
COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
TERMINATED = "http://adlnet.gov/expapi/verbs/terminated"
DOWNLOADED = "http://id.tincanapi.com/verb/downloaded"

RECEIVED_US = 1_700_000_000_000_000


def statement(
    verb: str, result: dict[str, Any] | None = None, context: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "id": "54f42ca3",
        "actor": {"objectType": "Agent", "account": {"name": "ann", "homePage": "http://school.example"}},
        "verb": {"id": verb},
        "object": {
            "id": "uuid://dune",
            "definition": {"type": "https://w3id.org/xapi/video/activity-type/video"},
        },
        "result": {"extensions": {EXTENSION + name: value for name, value in (result or {}).items()}},
        "context": {
            "contextActivities": {"category": [{"id": "https://w3id.org/xapi/video"}]},
            "extensions": {
                EXTENSION + name: value for name, value in {"session-id": "s1", **(context or {})}.items()
            },
        },
        "timestamp": "2021-11-29T12:37:59.839754+00:00",
    }


def accepted(given: object) -> dict[str, Any]:
    event = event_of(given)
    assert not isinstance(event, Refused), event
    return event


def refused(given: object) -> Refused:
    refusal = event_of(given)
    assert isinstance(refusal, Refused), refusal
    return refusal


def test_a_statement_names_who_watched_what_when_and_in_which_session() -> None:
    assert accepted(statement(PLAYED, {"time": 207.268}, {"length": 254})) == {
        "user": "ann",
        "slug": "uuid://dune",
        "kind": "play",
        "at": 207.268,
        "id": "54f42ca3",
        "session": "s1",
        "ts": "2021-11-29T12:37:59.839754+00:00",
        "duration": 254,
    }


@pytest.mark.parametrize(
    ("verb", "result", "context", "expected"),
    [
        (INITIALIZED, {}, {"length": 525}, {"kind": "load", "at": 0, "duration": 525}),
        (INTERACTED, {"time": 1.62}, {"speed": "1.25x"}, {"kind": "mark", "at": 1.62, "speed": 1.25}),
        (INTERACTED, {"time": 7}, {}, {"kind": "mark", "at": 7}),
        (PAUSED, {"time": 3}, {}, {"kind": "pause", "at": 3}),
        (COMPLETED, {"time": 9.5}, {}, {"kind": "end", "at": 9.5}),
        (TERMINATED, {"time": 4}, {}, {"kind": "pause", "at": 4}),
        (SEEKED, {"time-from": 5, "time-to": 50.5}, {}, {"kind": "seek", "from": 5, "at": 50.5}),
    ],
)
def test_each_verb_has_its_kind(
    verb: str, result: dict[str, Any], context: dict[str, Any], expected: dict[str, Any]
) -> None:
    names = {"user", "slug", "id", "session", "ts"}
    event = accepted(statement(verb, result, context))
    assert {field: value for field, value in event.items() if field not in names} == expected


@pytest.mark.parametrize("verb", [PAUSED, COMPLETED, TERMINATED, SEEKED])
def test_played_segments_make_a_claim_at_where_the_player_stands(verb: str) -> None:
    position = {"time-from": 5, "time-to": 44.044} if verb == SEEKED else {"time": 44.044}
    event = accepted(statement(verb, {"played-segments": "0[.]18.143[,]18.429[.]44.044", **position}))
    assert (event["kind"], event["at"]) == ("claim", 44.044)
    assert event["segments"] == [[0, 18.143], [18.429, 44.044]]
    assert "from" not in event


@pytest.mark.parametrize(
    ("claimed", "segments"),
    [
        ("", []),
        ("0[.]0", [[0, 0]]),
        ("0[.]18.143[,]18.429", [[0, 18.143]]),
        ("18.429", []),
        ("18.429[.]", []),
        ("0[.]5[,]", [[0, 5]]),
        ("50[.]40", [[50, 40]]),
        (" 0 [.] 5 ", [[0, 5]]),
        ("5e-7[.]1", [[5e-7, 1]]),
    ],
)
def test_odd_segments_live_and_an_open_last_one_counts_nothing(
    claimed: str, segments: list[list[float]]
) -> None:
    assert accepted(statement(PAUSED, {"time": 1, "played-segments": claimed}))["segments"] == segments


@pytest.mark.parametrize(
    ("written", "at"),
    [(5, 5), (5.25, 5.25), ("5", 5), ("5.25", 5.25), (" 5 ", 5), (1637.000001, 1637.000001)],
)
def test_positions_keep_their_digits_in_whatever_way_they_are_written(written: object, at: float) -> None:
    event = accepted(statement(PLAYED, {"time": written}))
    assert event["at"] == at
    assert type(event["at"]) is type(at)


@pytest.mark.parametrize("speed", ["1.5x", "1.5", 1.5, " 1.5x "])
def test_speed_may_be_text_or_a_number(speed: object) -> None:
    assert accepted(statement(INTERACTED, {"time": 1}, {"speed": speed}))["speed"] == 1.5


def test_a_length_of_zero_is_a_length_not_known_yet() -> None:
    assert "duration" not in accepted(statement(INITIALIZED, context={"length": 0}))


def test_id_session_and_time_may_be_missing() -> None:
    bare = statement(PLAYED, {"time": 1})
    del bare["id"], bare["timestamp"], bare["context"]["extensions"]
    assert accepted(bare) == {"user": "ann", "slug": "uuid://dune", "kind": "play", "at": 1}


def test_an_actor_may_be_known_by_mailbox_alone() -> None:
    given = statement(PLAYED, {"time": 1}) | {"actor": {"mbox": "mailto:ann@school.example"}}
    assert accepted(given)["user"] == "mailto:ann@school.example"


def test_a_download_is_no_playback() -> None:
    assert refused(statement(DOWNLOADED, context={"length": 525})).reason == "not_playback"


@pytest.mark.parametrize(
    "verb", ["http://example.org/verbs/played", "played", "https://w3id.org/xapi/audio/verbs/played"]
)
def test_a_verb_that_only_ends_alike_belongs_to_another_profile(verb: str) -> None:
    assert refused(statement(verb, {"time": 1})).reason == "other_profile"


@pytest.mark.parametrize(
    "category", ["https://w3id.org/xapi/cmi5/context/categories/cmi5", "https://w3id.org/xapi/audio"]
)
def test_a_shared_verb_of_another_category_belongs_to_another_profile(category: str) -> None:
    given = statement(TERMINATED, {"time": 1})
    given["context"]["contextActivities"]["category"] = [{"id": category}]
    assert refused(given).reason == "other_profile"


def test_without_a_category_a_shared_verb_is_ours_when_it_is_about_a_video() -> None:
    given = statement(TERMINATED, {"time": 1})
    del given["context"]["contextActivities"]
    assert accepted(given)["kind"] == "pause"
    given["object"]["definition"]["type"] = "http://adlnet.gov/expapi/activities/course"
    assert refused(given).reason == "other_profile"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (("verb",), "verb.id"),
        (("verb", "id"), "verb.id"),
        (("actor",), "actor"),
        (("actor", "account"), "actor"),
        (("object",), "object.id"),
        (("object", "id"), "object.id"),
        (("result",), f"result.extensions.{EXTENSION}time"),
        (("result", "extensions"), f"result.extensions.{EXTENSION}time"),
    ],
)
def test_what_is_missing_is_named(path: tuple[str, ...], field: str) -> None:
    given = statement(PLAYED, {"time": 1})
    *parents, last = path
    inside = given
    for parent in parents:
        inside = inside[parent]
    del inside[last]
    refusal = refused(given)
    assert (refusal.reason, refusal.field) == ("missing_field", field)


@pytest.mark.parametrize(
    "value", [True, "soon", "", [1], {"s": 1}, float("nan"), float("inf"), "1e999", "٣", "1" * 5000]
)
def test_what_is_no_number_is_named(value: object) -> None:
    refusal = refused(statement(PLAYED, {"time": value}))
    assert (refusal.reason, refusal.field) == ("wrong_type", f"result.extensions.{EXTENSION}time")
    assert len(refusal.detail) < 300


@pytest.mark.parametrize("claimed", ["zero[.]5", "0[.]5[.]6", "0-5", 7, ["0[.]5"], "0[.]5[,]x"])
def test_segments_that_cannot_be_read_are_refused(claimed: object) -> None:
    refusal = refused(statement(PAUSED, {"time": 1, "played-segments": claimed}))
    assert (refusal.reason, refusal.field) == ("wrong_type", f"result.extensions.{EXTENSION}played-segments")


@pytest.mark.parametrize(
    "given", [None, 1, "played", [], {"verb": "played"}, {"verb": {"id": 7}}, {"verb": []}]
)
def test_what_is_no_statement_is_refused_and_never_raises(given: object) -> None:
    assert refused(given).reason == "wrong_type"


def test_the_real_week_is_understood_to_the_last_statement(real_input: Path) -> None:
    with gzip.open(real_input) as lines:
        outcomes = [event_of(orjson.loads(line)) for line in lines]
    refusals = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Refused))
    events = [outcome for outcome in outcomes if not isinstance(outcome, Refused)]
    assert (len(outcomes), refusals, len(events)) == (11_223, {"not_playback": 31}, 11_192)
    assert Counter(event["kind"] for event in events) == {
        "claim": 5339,
        "play": 3468,
        "mark": 1724,
        "load": 661,
    }


def test_every_real_event_passes_the_checks_of_the_wire(real_input: Path) -> None:
    with gzip.open(real_input) as lines:
        outcomes = [event_of(orjson.loads(line)) for line in lines]
    body = orjson.dumps([outcome for outcome in outcomes if not isinstance(outcome, Refused)])
    decoded, _ = decode_body(body, RECEIVED_US)
    assert all(isinstance(event, Event) for event in decoded)
