"""Every way in which an event can be wrong: refused alone, with the field, the reason, and what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from service.events.event import KINDS
from service.events.wire import EXPECTED
from service.limits import (
    ID_CHARS_MAX,
    POSITION_MAX_S,
    SEGMENTS_MAX,
    SEQ_MAX,
    SESSION_CHARS_MAX,
    SLUG_CHARS_MAX,
    USER_CHARS_MAX,
)
from tests.api.client import event

if TYPE_CHECKING:
    from tests.api.client import Api

NAMES = {"user": USER_CHARS_MAX, "slug": SLUG_CHARS_MAX, "id": ID_CHARS_MAX, "session": SESSION_CHARS_MAX}
POSITIONS = ("at", "from", "duration")
TIMES = ("ts", "sent_at")


def changed(field: str, spelled: str) -> bytes:
    """A valid event but for one field, whose value is this JSON."""
    kind = {"from": "seek", "segments": "claim", "speed": "rate"}.get(field, "heartbeat")
    fields = {"user": '"ann"', "slug": '"dune"', "at": "4500", "kind": f'"{kind}"'} | {field: spelled}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()


STRINGS_NOT = ["5", "true", '["a"]', '{"a":1}']
NUMBERS_NOT = ['"5"', '""', "true", "false", "[5]", '{"a":5}']

WRONG = [
    *((name, spelled, "wrong_type") for name in NAMES for spelled in STRINGS_NOT),
    *((name, "null", "wrong_type") for name in ("user", "slug", "at")),
    *((name, '""', "empty") for name in ("user", "slug", "id")),
    *((name, f'"{"x" * (length + 1)}"', "too_long") for name, length in NAMES.items()),
    *((name, f'"{"🎬" * (length + 1)}"', "too_long") for name, length in NAMES.items()),
    *((name, r'"a\u0000b"', "invalid_string") for name in NAMES),
    *((name, spelled, "wrong_type") for name in (*POSITIONS, "speed") for spelled in NUMBERS_NOT),
    *(
        (name, spelled, "out_of_range")
        for name in POSITIONS
        for spelled in (
            "-1",
            "-0.001",
            f"{POSITION_MAX_S + 1}",
            f"{POSITION_MAX_S}.001",
            "1e300",
            "1e999",
            "9" * 400,
        )
    ),
    *(
        (name, spelled, "out_of_range")
        for name in (*POSITIONS, "speed")
        for spelled in ("NaN", "Infinity", "-Infinity")
    ),
    *(("speed", spelled, "out_of_range") for spelled in ("0", "-1", "0.0999", "16.001", "1e9")),
    *(("seq", spelled, "wrong_type") for spelled in (*NUMBERS_NOT, "1.5", "1e3")),
    *(("seq", spelled, "out_of_range") for spelled in ("-1", str(SEQ_MAX + 1), str(2**64), "9" * 400)),
    *(
        ("kind", spelled, "unknown_kind")
        for spelled in ('"stop"', '""', '"PLAY"', '"play "', "5", "null", "[]")
    ),
    *((name, spelled, "wrong_type") for name in TIMES for spelled in ("true", "[]", "{}")),
    *(
        (name, spelled, "out_of_range")
        for name in TIMES
        for spelled in (
            "0",
            "-1",
            "1700000000000",
            "1e18",
            "NaN",
            "Infinity",
            '"1999-12-31T23:59:59Z"',
            '"2100-01-02T00:00:00Z"',
        )
    ),
    *(
        (name, f'"{text}"', "invalid_time")
        for name in TIMES
        for text in (
            "2026-11-20T10:00:00",
            "2026-11-20",
            "20.11.2026 10:00",
            "yesterday",
            "",
            "1700000000",
            "2026-02-30T10:00:00Z",
            "2026-11-20T25:00:00Z",
            "0001-01-01T00:00:00+23:00Z",
        )
    ),
    *((name, f'"{"2" * 65}"', "too_long") for name in TIMES),
    ("segments", "5", "wrong_type"),
    ("segments", '"0-5"', "wrong_type"),
    ("segments", "{}", "wrong_type"),
    ("segments", "[" + ",".join(["[0,1]"] * (SEGMENTS_MAX + 1)) + "]", "too_long"),
    ("color", '"red"', "unknown_field"),
    ("from_", "5", "unknown_field"),
    ("User", '"ann"', "unknown_field"),
    ("", "5", "unknown_field"),
]


@pytest.mark.parametrize(
    ("field", "spelled", "reason"), WRONG, ids=[f"{field}-{spelled[:20]}" for field, spelled, _ in WRONG]
)
async def test_a_wrong_value_is_named_and_spoils_no_other_event(
    api: Api, field: str, spelled: str, reason: str
) -> None:
    good, bad = orjson.dumps(event()), changed(field, spelled)
    answer = await api.send(b"[" + good + b"," + bad + b"," + good + b"]")
    assert (answer.status, answer.json["accepted"]) == (200, 2)
    rejection = answer.rejection
    assert (rejection["index"], rejection["field"], rejection["reason"]) == (1, field, reason)
    assert EXPECTED.get(field, "") in rejection["detail"] or reason == "invalid_string"
    assert rejection["detail"].startswith(field)
    assert 10 < len(rejection["detail"]) < 400

    alone = await api.send(bad)
    assert (alone.status, alone.json["reason"], alone.is_problem) == (422, reason, True)
    assert alone.rejection == rejection | {"index": 0}
    assert rejection["detail"] in alone.json["detail"]


@pytest.mark.parametrize("field", ["user", "slug", "at"])
async def test_a_missing_field_is_named(api: Api, field: str) -> None:
    answer = await api.post([event(**{field: None})])
    assert (answer.status, answer.rejection["field"], answer.rejection["reason"]) == (
        422,
        field,
        "missing_field",
    )
    assert answer.rejection["detail"] == f"{field} is missing, expected {EXPECTED[field]}"


@pytest.mark.parametrize(
    ("kind", "field"), [("segment", "from"), ("seek", "from"), ("claim", "segments"), ("rate", "speed")]
)
async def test_a_kind_that_lacks_what_it_needs_is_refused(api: Api, kind: str, field: str) -> None:
    answer = await api.post([event(kind=kind)])
    assert (answer.rejection["field"], answer.rejection["reason"]) == (field, "missing_field")
    assert f"{kind} needs" in answer.rejection["detail"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("segment", "seek", "claim")])
@pytest.mark.parametrize(("field", "value"), [("from", 5), ("segments", []), ("segments", [[0, 5]])])
async def test_a_kind_that_has_what_belongs_to_another_is_refused(
    api: Api, kind: str, field: str, value: object
) -> None:
    answer = await api.post([event(kind=kind, speed=1, **{field: value})])
    assert (answer.rejection["field"], answer.rejection["reason"]) == (field, "misplaced_field")
    assert kind in answer.rejection["detail"]


async def test_what_belongs_to_segment_and_claim_is_not_mixed(api: Api) -> None:
    answer = await api.post(
        [event(kind="segment", from_=0, segments=[[0, 5]]), event(kind="claim", from_=0, segments=[[0, 5]])]
    )
    told = [(one["field"], one["reason"]) for one in answer.json["rejected"]]
    assert told == [("segments", "misplaced_field"), ("from", "misplaced_field")]


@pytest.mark.parametrize(
    ("segments", "field", "reason"),
    [
        ([5], "segments[0]", "wrong_type"),
        ([[0, 5], [0]], "segments[1][1]", "missing_field"),
        ([[0, 5], []], "segments[1][0]", "missing_field"),
        ([[0, 5, 6]], "segments[0]", "too_long"),
        ([[0, 5], [0, -5]], "segments[1][1]", "out_of_range"),
        ([[0, POSITION_MAX_S + 1]], "segments[0][1]", "out_of_range"),
        ([["0", 5]], "segments[0][0]", "wrong_type"),
        ([[None, 5]], "segments[0][0]", "wrong_type"),
        ([[0, 5], {"from": 0, "to": 5}], "segments[1]", "wrong_type"),
    ],
)
async def test_the_very_place_within_segments_is_named(
    api: Api, segments: object, field: str, reason: str
) -> None:
    answer = await api.post([event(kind="claim", segments=segments)])
    assert (answer.rejection["field"], answer.rejection["reason"]) == (field, reason)
    assert answer.rejection["detail"].startswith(field)


@pytest.mark.parametrize("field", ["user", "slug", "id", "session", "kind", "ts", "color"])
async def test_a_lone_surrogate_is_refused_and_spoils_no_other_event(api: Api, field: str) -> None:
    good, bad = orjson.dumps(event()), changed(field, r'"\ud83c"')
    answer = await api.send(b"[" + good + b"," + bad + b"," + good + b"]")
    assert (answer.status, answer.json["accepted"]) == (200, 2)
    assert (answer.rejection["index"], answer.rejection["reason"]) == (1, "invalid_string")
    assert "lone surrogate" in answer.rejection["detail"]
    assert (await api.send(bad)).rejection["reason"] == "invalid_string"


async def test_a_surrogate_pair_is_a_character(api: Api) -> None:
    assert (await api.send(changed("user", r'"\ud83c\udfac"'))).json["state"]["user"] == "🎬"


@pytest.mark.parametrize("depth", [150, 250, 900, 5000])
async def test_what_is_nested_too_deep_is_refused(api: Api, depth: int) -> None:
    for deep in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        answer = await api.send(changed("id", deep))
        assert answer.status in (400, 422)
        assert answer.json["reason"] in ("wrong_type", "too_deep", "not_json")


async def test_the_first_of_several_mistakes_is_told(api: Api) -> None:
    answer = await api.post([{"slug": 5, "at": -1, "color": "red"}])
    assert answer.rejection["field"] == "user"


async def test_a_long_wrong_value_is_told_in_short(api: Api) -> None:
    answer = await api.post([event(at="x" * 10_000), event(**{"y" * 10_000: 1})])
    assert all(len(orjson.dumps(one)) < 600 for one in answer.json["rejected"])


async def test_each_of_many_rejections_has_its_index(api: Api) -> None:
    answer = await api.post([event(at=-1) if index % 3 else event() for index in range(3000)])
    assert answer.json["accepted"] == 1000
    assert [one["index"] for one in answer.json["rejected"]] == [index for index in range(3000) if index % 3]


async def test_rejected_and_duplicate_events_are_told_apart(api: Api) -> None:
    answer = await api.post([event(id="1"), event(id="1"), event(at=-1)])
    assert answer.status == 200
    assert (answer.json["accepted"], answer.json["duplicates"], len(answer.json["rejected"])) == (1, 1, 1)
    again = await api.post([event(id="1"), event(at=-1)])
    assert (again.status, again.json["duplicates"], again.json["accepted"]) == (200, 1, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"at": 0},
        {"at": POSITION_MAX_S},
        {"at": 0.0004},
        {"user": "u" * USER_CHARS_MAX, "slug": "s" * SLUG_CHARS_MAX},
        {"id": "i" * ID_CHARS_MAX, "session": "s" * SESSION_CHARS_MAX, "seq": SEQ_MAX},
        {"session": "", "seq": 0},
        {"speed": 0.1},
        {"speed": 16},
        {"kind": "claim", "segments": []},
        {"kind": "claim", "segments": [[0, 1]] * SEGMENTS_MAX},
        {"kind": "segment", "from_": 5000, "at": 10},
        {"ts": "2000-01-01T00:00:00Z"},
        {"ts": 946_684_800},
        {"ts": "2026-11-20T10:00:00.123456789-05:00"},
        {"ts": "2026-11-20 10:00:00Z"},
        {"ts": "2026-11-20T10:00:00Z", "sent_at": 1_795_000_000.5},
        {"sent_at": "2026-11-20T10:00:00Z"},
        {"duration": 0},
    ],
    ids=lambda fields: str(fields)[:60],
)
async def test_what_lies_on_the_edge_is_taken(api: Api, fields: dict[str, object]) -> None:
    answer = await api.post([event(**fields)])
    assert (answer.status, answer.json["accepted"]) == (200, 1), answer.body


@pytest.mark.parametrize(
    "field", ["id", "session", "seq", "from", "speed", "segments", "ts", "sent_at", "duration"]
)
async def test_null_is_as_good_as_nothing_where_nothing_will_do(api: Api, field: str) -> None:
    assert (await api.send(changed(field, "null").replace(b'"rate"', b'"play"'))).status == (
        422 if field in ("from", "segments") else 200
    )
