"""What msgspec takes, pydantic takes, too, and both read it alike: the quick way of an event is the plain one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service import limits
from service.events.event import KINDS
from service.events.quick import read_many_quickly, read_quickly
from service.events.wire import Fields, WireEvent, fields_of

GOOD: dict[str, Any] = {"user": "ann", "slug": "dune", "at": 4500}

WHOLE: dict[str, Any] = {
    "user": "ann",
    "slug": "dune",
    "at": 61.0005,
    "id": "e1",
    "session": "s1",
    "seq": 7,
    "kind": "claim",
    "from": 1,
    "speed": 1.25,
    "segments": [[0, 10.5], [20, 61]],
    "ts": "2026-11-20T10:00:00.123456+01:00",
    "sent_at": 1_795_167_600.5,
    "duration": 7200,
}

BOUNDS: dict[str, tuple[Any, Any]] = {
    "user": ("é" * limits.USER_CHARS_MAX, "é" * (limits.USER_CHARS_MAX + 1)),
    "slug": ("𝄞" * limits.SLUG_CHARS_MAX, "𝄞" * (limits.SLUG_CHARS_MAX + 1)),
    "at": (limits.POSITION_MAX_S, limits.POSITION_MAX_S + 0.001),
    "id": ("x" * limits.ID_CHARS_MAX, "x" * (limits.ID_CHARS_MAX + 1)),
    "session": ("x" * limits.SESSION_CHARS_MAX, "x" * (limits.SESSION_CHARS_MAX + 1)),
    "seq": (limits.SEQ_MAX, limits.SEQ_MAX + 1),
    "from": (0, -0.001),
    "speed": (limits.SPEED_MAX, limits.SPEED_MAX + 0.001),
    "segments": ([[0, 1]] * limits.SEGMENTS_MAX, [[0, 1]] * (limits.SEGMENTS_MAX + 1)),
    "ts": (limits.TIME_MAX_S, limits.TIME_MAX_S + 1),
    "sent_at": ("x" * limits.TIME_CHARS_MAX, "x" * (limits.TIME_CHARS_MAX + 1)),
    "duration": (limits.POSITION_MAX_S, limits.POSITION_MAX_S + 1),
}

NUMBERS = (
    "-0", "-0.0", "1.0", "1e2", "1E+2", "1e-400", "01", "1.", ".5", "+1", "1e400", "NaN", "Infinity", "-1", "0x10",
    "1_0", "61.0005", "0.1000000000000000055511151231257827", "172799.99999999999999", "172800.00000000000001",
    "4.35", "true", "9007199254740990", "9007199254740991", "9223372036854775808", "1" + "0" * 400,
    "0." + "0" * 400 + "1", "null",
)  # fmt: skip

STRINGS = (
    rb'"a\nb"', b'"a\nb"', b'"a\tb"', b'"\x00"', rb'"\u0000"', rb'"\ud800"', rb'"\ud83d\ude00"', rb'"\udc00\ud800"',
    b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"', rb'"\x41"', rb'"\/"', b"'a'", b'"\x7f"',
    "\u2028é𝄞".join('""').encode(), b"null", b"1", b"[]", b'""',
)  # fmt: skip

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
values = scalars | st.sampled_from([*WHOLE.values()])
names = st.sampled_from([*WHOLE, "from_", "color"])
objects = st.dictionaries(names, values, max_size=4).map(lambda some: GOOD | some)
texts = (objects | st.just(WHOLE)).flatmap(
    lambda fields: st.permutations(list(fields.items())).map(lambda items: json.dumps(dict(items)).encode())
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A text in which some bytes are others, are missing, or stand twice."""
    text = bytearray(draw(texts))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text) - 1))
        end = start + draw(st.integers(0, 4))
        text[start:end] = draw(
            st.binary(max_size=2)
            | st.sampled_from([bytes(text[start:end]) * 2, b"0", b".", b"e", b'"', b",", b" ", b"}"])
        )
        if not text:
            break
    return bytes(text)


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Nothing is timed: the first example of a busy machine may take long."""


def plainly(text: bytes) -> Fields | None:
    try:
        return fields_of(WireEvent.__pydantic_validator__.validate_json(text))
    except ValidationError:
        return None


def exactly(read: object) -> str:
    """Tells 1 from 1.0 and from True, and one float from the next; -0.0 and 0.0 mean the same position."""
    return repr(read).replace("-0.0", "0.0")


def assert_alike(text: bytes) -> None:
    """Whatever is read quickly; an array of it, too."""
    quick = read_quickly(text)
    if quick is not None:
        assert exactly(quick) == exactly(plainly(text))
        assert read_many_quickly(b"[" + text + b"]") == [quick]


@unhurried
@given(texts)
@example(json.dumps(WHOLE).encode())
def test_what_is_right_is_read_quickly_and_alike(text: bytes) -> None:
    assert exactly(read_quickly(text)) == exactly(plainly(text))
    assert_alike(text)


@unhurried
@given(spoiled())
@example(b'{"user":"a","user":"b","slug":"c","at":1,"at":2}')
@example(b'{"user":"a","slug":"c","at":-1,"at":2}')
@example(rb'{"\u0075ser":"a","slug":"c","at":1}')
@example(b'{"user":"a","slug":"c","at":1,}')
@example(b'{"user":"a","slug":"c","at":1}{}')
@example(b'{"user":"a","slug":"c","at":1}\x00')
@example(b' \t\r\n{"user" : "a" , "slug":"c","at":1} ')
@example(b'\xef\xbb\xbf{"user":"a","slug":"c","at":1}')
@example(b'["a","c",1]')
@example(b"[" * 100_000)
@example(b'{"user":' * 100_000)
@example(b"")
def test_what_was_spoiled_is_read_as_it_is_plainly_or_not_at_all(text: bytes) -> None:
    assert_alike(text)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["at", "seq", "from", "speed", "ts", "duration"])
def test_numbers_are_spelled_as_in_json(field: str, number: str) -> None:
    assert_alike(f'{{"user":"a","slug":"b","at":1,"{field}":{number}}}'.encode())


@pytest.mark.parametrize("string", STRINGS)
@pytest.mark.parametrize("field", ["user", "id", "session", "kind", "ts"])
def test_strings_are_spelled_as_in_json(field: str, string: bytes) -> None:
    assert_alike(b'{"user":"a","slug":"b","at":1,"%b":%b}' % (field.encode(), string))


@pytest.mark.parametrize("field", BOUNDS)
def test_both_ways_have_the_same_bounds(field: str) -> None:
    for value, is_right in zip(BOUNDS[field], (True, False), strict=True):
        text = json.dumps(GOOD | {field: value}).encode()
        assert (read_quickly(text) is not None, plainly(text) is not None) == (is_right, is_right)
        assert_alike(text)


@pytest.mark.parametrize("kind", [*KINDS, "cut", "", None, "Play"])
def test_both_ways_know_the_same_kinds(kind: str | None) -> None:
    text = json.dumps(GOOD | {"kind": kind}).encode()
    assert (read_quickly(text) is not None) == (plainly(text) is not None) == (kind in KINDS)


def test_too_many_events_are_not_read_quickly() -> None:
    event = json.dumps(GOOD).encode()
    for count, is_read in ((limits.EVENTS_PER_BODY_MAX, True), (limits.EVENTS_PER_BODY_MAX + 1, False)):
        assert (read_many_quickly(b"[" + b",".join([event] * count) + b"]") is not None) == is_read
