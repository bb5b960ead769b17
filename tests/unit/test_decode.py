"""What the bytes of a request say, however they are put together."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import limits
from service.errors import BadRequest
from service.events.decode import decode_body, decode_lines, decode_messages
from service.events.event import KINDS, Event
from service.events.rejection import Rejection

NOW_US = 1_800_000_000_000_000

Decoded = Event | Rejection

GOOD = {"user": "ann", "slug": "dune", "at": 4500}

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field_values: dict[str, st.SearchStrategy[Any]] = {
    "user": st.text(max_size=6),
    "slug": st.text(max_size=6),
    "at": st.floats(-1, 200_000) | st.integers(-1, 200_000),
    "id": st.text(max_size=4),
    "session": st.text(max_size=4),
    "seq": st.integers(-1, 2**54),
    "kind": st.sampled_from(KINDS) | st.text(max_size=4),
    "from": st.floats(-1, 200_000),
    "speed": st.floats(0, 17),
    "segments": st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)) | st.lists(st.floats(0, 9)), max_size=3),
    "ts": st.sampled_from(["2026-11-20T10:00:00Z", "2026-11-20", 1_700_000_000, 1_700_000_000_000, "soon"]),
    "sent_at": st.sampled_from(["2026-11-20T10:00:00+01:00", 1_700_000_000.5, True]),
    "duration": st.floats(0, 1e6),
    "color": st.just("red"),
}
events = st.one_of(
    st.just(GOOD),
    st.fixed_dictionaries({}, optional=field_values),
    st.fixed_dictionaries(
        {"user": st.just("ann"), "slug": st.just("dune"), "at": st.integers(0, 9)},
        optional={name: values for name, values in field_values.items() if name not in GOOD},
    ),
    json_values,
)
texts = events.map(lambda event: json.dumps(event).encode())
lines = texts | st.binary(min_size=1, max_size=20).map(lambda line: line.replace(b"\n", b" ") or b" ")


def one_by_one(bodies: list[bytes]) -> list[Decoded]:
    return list(chain(*(decode_lines([body], index, NOW_US) for index, body in enumerate(bodies))))


@given(st.lists(lines, max_size=6))
@example(
    [
        b'{"user":"a","slug":"b","at":1},{"user":"a","slug":"b","at":2}',
        b'{"user":"a","slug":"}',
        b'{","at":1}',
    ]
)
@example(
    [
        b'{"user":"a","slug":"b","at":1},{"user":"a","slug":"b","at":2}',
        b'{"user":"a","slug":[{}',
        b'{}],"at":1}',
    ]
)
@example([orjson.dumps(GOOD), orjson.dumps(GOOD | {"x": "y" * limits.EVENT_BYTES_MAX}), orjson.dumps(GOOD)])
@example([b'{"user":"\\ud800","slug":"dune","at":1}', orjson.dumps(GOOD)])
def test_lines_mean_together_what_each_means_alone(bodies: list[bytes]) -> None:
    assert decode_lines(bodies, 0, NOW_US) == one_by_one(bodies)


@given(st.lists(texts, max_size=6))
@example(
    [orjson.dumps(GOOD), b'{"user":"\\ud800","slug":"dune","at":1}', b'{"user":"a","slug":"b","at":NaN}']
)
@example([orjson.dumps(GOOD), b"[" * 250 + b"]" * 250, b"[" * 800 + b"]" * 800])
@example(
    [
        orjson.dumps(GOOD),
        b'{"user":"a","slug":"b","at":1e999}',
        b'{"user":"a","slug":"b","at":1' + b"0" * 999 + b"}",
    ]
)
def test_an_array_means_what_its_items_mean_alone(items: list[bytes]) -> None:
    decoded, is_single = decode_body(b"[" + b",".join(items) + b"]", NOW_US)
    assert not is_single
    assert decoded == one_by_one(items)


@given(events)
def test_an_object_means_what_it_means_as_the_only_item(event: Any) -> None:
    text = json.dumps(event).encode()
    if text.startswith(b"["):
        return
    alone, is_single = decode_body(text, NOW_US)
    assert is_single
    assert alone == decode_body(b"[" + text + b"]", NOW_US)[0]


@given(st.binary(max_size=40))
def test_bytes_are_events_or_rejections_or_no_json(body: bytes) -> None:
    told = None
    try:
        decoded, _ = decode_body(body, NOW_US)
        assert all(isinstance(item, Event | Rejection) for item in decoded)
    except BadRequest as error:
        told = (error.status, error.reason)
    assert told in (None, (400, "not_json"))


@given(events)
def test_what_json_reads_is_never_called_no_json(event: Any) -> None:
    decode_body(json.dumps(event).encode(), NOW_US)


@given(st.lists(texts, min_size=1, max_size=4))
def test_every_rejection_tells_index_reason_and_detail(items: list[bytes]) -> None:
    decoded, _ = decode_body(b"[" + b",".join(items) + b"]", NOW_US)
    for index, item in enumerate(decoded):
        if isinstance(item, Rejection):
            assert item.index == index
            assert item.reason.isidentifier()
            assert item.reason == item.reason.lower()
            assert 10 < len(item.detail) < 400
            orjson.dumps(item.as_json())


def test_every_field_arrives_in_integers() -> None:
    whole = GOOD | {
        "kind": "segment",
        "from": 4490.5,
        "speed": 1.25,
        "id": "e1",
        "session": "s1",
        "seq": 7,
        "ts": "2026-11-20T10:00:00+01:00",
        "sent_at": "2026-11-20T10:00:02+01:00",
        "duration": 9300.0005,
    }
    decoded, _ = decode_body(orjson.dumps(whole), NOW_US)
    assert decoded == [
        Event(
            user="ann",
            slug="dune",
            kind="segment",
            at_ms=4_500_000,
            time_us=NOW_US - 2_000_000,
            received_us=NOW_US,
            timed=True,
            session="s1",
            seq=7,
            id="e1",
            from_ms=4_490_500,
            speed=1250,
            duration_ms=9_300_001,
        )
    ]


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \t\r\n", b"\xef\xbb\xbf "])
@pytest.mark.parametrize("after", [b"", b" \t\r\n"])
def test_what_stands_around_a_body_means_nothing(before: bytes, after: bytes) -> None:
    for text in (orjson.dumps(GOOD), orjson.dumps([GOOD])):
        assert decode_body(before + text + after, NOW_US)[0] == decode_body(text, NOW_US)[0]


def test_a_byte_order_mark_in_front_of_the_first_line_means_nothing() -> None:
    line = orjson.dumps(GOOD)
    assert decode_lines([b"\xef\xbb\xbf" + line, line], 0, NOW_US) == decode_lines([line, line], 0, NOW_US)


def test_a_key_that_comes_twice_has_its_last_value() -> None:
    text = b'{"user":"ann","slug":"dune","at":1,"at":2}'
    assert decode_body(text, NOW_US) == decode_body(text.replace(b'"at":1,', b""), NOW_US)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"0," * 2_000_000 + b"0]",
        b"[" + b",".join([orjson.dumps(GOOD)] * (limits.EVENTS_PER_BODY_MAX + 1)) + b"]",
    ],
    ids=["numbers", "events"],
)
def test_an_array_of_too_many_events_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        decode_body(body, NOW_US)
    assert (refused.value.status, refused.value.reason) == (413, "too_many_events")


def test_an_array_of_as_many_events_as_may_be_is_taken() -> None:
    body = b"[" + b",".join([orjson.dumps(GOOD)] * limits.EVENTS_PER_BODY_MAX) + b"]"
    assert len(decode_body(body, NOW_US)[0]) == limits.EVENTS_PER_BODY_MAX


@pytest.mark.parametrize(
    "event",
    [
        GOOD | {"kind": "claim", "segments": [0] * 200_000},
        GOOD | {"kind": "claim", "segments": [[]] * 200_000},
        {str(number): 0 for number in range(100_000)},
        GOOD | {"id": "x" * limits.EVENT_BYTES_MAX},
    ],
    ids=["numbers for segments", "empty segments", "unknown fields", "a long id"],
)
def test_an_event_that_is_too_long_is_refused_alone(event: object) -> None:
    text = orjson.dumps(event)
    refused = decode_lines([text], 0, NOW_US)
    assert [(item.index, item.reason) for item in refused if isinstance(item, Rejection)] == [(0, "too_long")]
    assert decode_body(text, NOW_US)[0] == refused
    batch, _ = decode_body(orjson.dumps([event, GOOD]), NOW_US)
    assert batch == [*refused, *decode_lines([orjson.dumps(GOOD)], 1, NOW_US)]


def of_message(message: bytes) -> list[Decoded]:
    """As a body of its own."""
    try:
        return decode_body(message, NOW_US)[0]
    except BadRequest as unreadable:
        return [Rejection(0, "", unreadable.reason, str(unreadable))]


@given(
    st.lists(
        lines | st.lists(texts, max_size=3).map(lambda some: b" [" + b",".join(some) + b"]\n"), max_size=6
    )
)
@example([b"[]", b"", b"[1", b"\xff[", b'[{"user":"ann","slug":"dune","at":1},7]', b"7"])
def test_messages_say_what_each_says_as_a_body_and_indexes_run_on(messages: list[bytes]) -> None:
    alone = list(chain(*map(of_message, messages)))
    groups = list(decode_messages(messages, 5, NOW_US))
    together = list(chain(*groups))
    assert all(groups)
    assert len(together) == len(alone)
    for index, (one, same) in enumerate(zip(together, alone, strict=True), start=5):
        if isinstance(one, Rejection):
            assert isinstance(same, Rejection)
            assert (one.index, one.field, one.reason) == (index, same.field, same.reason)
        else:
            assert one == same
