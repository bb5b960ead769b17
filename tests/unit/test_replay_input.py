"""What `replay` reads: plain or gzip, events or statements, one line at a time, each line accounted for."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from typing import TYPE_CHECKING

import orjson
import pytest

from service.cli.lines import (
    BATCH_BYTES_MAX,
    LINE_BYTES_MAX,
    Line,
    Unsendable,
    batches,
    open_input,
    read_lines,
)

if TYPE_CHECKING:
    from pathlib import Path

    from service.cli.lines import Dialect

EVENT = b'{"user": "ann", "slug": "dune", "at": 4500.000}'
STATEMENT = orjson.dumps(
    {
        "id": "54f42ca3",
        "actor": {"account": {"name": "ann"}},
        "verb": {"id": "https://w3id.org/xapi/video/verbs/played"},
        "object": {"id": "uuid://dune"},
        "result": {"extensions": {"https://w3id.org/xapi/video/extensions/time": 207.268}},
    }
)


def read(text: bytes, dialect: Dialect = "auto") -> list[Line | Unsendable]:
    return list(read_lines(io.BufferedReader(io.BytesIO(text)), dialect))


def test_an_event_is_passed_on_as_it_was_written() -> None:
    assert read(EVENT) == [Line(1, EVENT, repeatable=False)]


def test_a_statement_is_translated_and_mixes_with_events() -> None:
    first, second = read(EVENT + b"\n" + STATEMENT)
    assert isinstance(first, Line)
    assert isinstance(second, Line)
    assert orjson.loads(second.event) == {
        "user": "ann",
        "slug": "uuid://dune",
        "kind": "play",
        "at": 207.268,
        "id": "54f42ca3",
    }


def test_a_format_that_is_given_is_not_guessed() -> None:
    assert read(STATEMENT, "events") == [Line(1, STATEMENT, repeatable=True)]
    (refused,) = read(EVENT, "xapi")
    assert isinstance(refused, Unsendable)
    assert refused.reason == "missing_field"


@pytest.mark.parametrize(
    ("fields", "repeatable"),
    [({}, False), ({"id": "a"}, True), ({"seq": 0}, True), ({"id": None}, False), ({"session": "s"}, False)],
)
def test_an_event_with_id_or_seq_may_be_posted_again(fields: dict[str, object], repeatable: bool) -> None:
    (line,) = read(orjson.dumps({"user": "ann", "slug": "dune", "at": 1, **fields}))
    assert isinstance(line, Line)
    assert line.repeatable is repeatable


@pytest.mark.parametrize("text", [b"{oops", b"nonsense", b'{"at": NaN}', b'{"user": "\xff"}', b"{} {}"])
def test_a_line_that_is_not_json_is_told_by_its_number_and_stops_nothing(text: bytes) -> None:
    before, wrong, after = read(EVENT + b"\n\n" + text + b"\n" + EVENT)
    assert isinstance(wrong, Unsendable)
    assert (wrong.number, wrong.reason) == (3, "not_json")
    assert (before.number, after.number) == (1, 4)


def test_byte_order_mark_line_ends_and_blank_lines_mean_nothing() -> None:
    assert read(b"\xef\xbb\xbf" + EVENT + b"\r\n \r\n\n" + EVENT) == [
        Line(1, EVENT, repeatable=False),
        Line(4, EVENT, repeatable=False),
    ]


@pytest.mark.parametrize("excess", [1, 2, LINE_BYTES_MAX, 3 * LINE_BYTES_MAX])
def test_a_line_without_end_is_refused_and_the_next_one_is_read(excess: int) -> None:
    long, after = read(b"9" * (LINE_BYTES_MAX + excess) + b"\n" + EVENT)
    assert isinstance(long, Unsendable)
    assert (long.number, long.reason) == (1, "too_long")
    assert after == Line(2, EVENT, repeatable=False)


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
@pytest.mark.parametrize("zipped", [False, True])
def test_gzip_is_known_by_its_magic_not_by_its_name(tmp_path: Path, name: str, zipped: bool) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(EVENT) if zipped else EVENT)
    with open_input(file) as raw:
        assert list(read_lines(raw)) == [Line(1, EVENT, repeatable=False)]


def test_a_batch_ends_at_its_events_and_at_its_bytes() -> None:
    small = [Line(number, b"{}", repeatable=True) for number in range(7)]
    assert [len(batch) for batch in batches(small, 3)] == [3, 3, 1]
    large = [Line(number, b" " * (BATCH_BYTES_MAX // 2), repeatable=True) for number in range(5)]
    assert [len(batch) for batch in batches(large, 100)] == [3, 2]


def test_what_was_read_before_a_file_breaks_off_is_handed_out(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    whole = gzip.compress(
        b"\n".join(b'{"user": "ann", "slug": "dune", "at": %d}' % at for at in range(20_000))
    )
    file.write_bytes(whole[: len(whole) // 2])
    numbers: list[int] = []

    def collect(raw: io.BufferedReader) -> None:
        for batch in batches(read_lines(raw), 500):
            numbers.extend(item.number for item in batch)

    with open_input(file) as raw, pytest.raises(EOFError):
        collect(raw)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 500
    assert len(numbers) % 500 > 0


def test_the_real_week_reads_to_the_last_line(real_input: Path) -> None:
    with open_input(real_input) as raw:
        items = list(read_lines(raw))
    assert [item.number for item in items] == list(range(1, 11_224))
    assert sum(isinstance(item, Line) and item.repeatable for item in items) == 11_192
    assert Counter(item.reason for item in items if isinstance(item, Unsendable)) == {"not_playback": 31}
