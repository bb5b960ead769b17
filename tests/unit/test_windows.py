"""A session of the rules and its record in Redis say the same, there and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.counters import coverage
from service.counters.images import session_of, session_record_of
from service.rules.session import Session


@given(st.lists(st.integers(0, 20) | st.integers(1000, 1050) | st.integers(0, 5000), max_size=60))
def test_what_was_seen_survives_its_record(seqs: list[int]) -> None:
    session = Session(time_us=1)
    for seq in seqs:
        if not session.has_seen(seq):
            session.remember(seq)
    assert session_of(session_record_of(session)) == session


@given(st.sets(st.integers(0, 200)))
def test_so_does_coverage(cells: set[int]) -> None:
    seen = sum(1 << cell for cell in cells)
    bitmap = coverage.bitmap_of(seen)
    assert {cell for span in coverage.spans(bitmap) for cell in range(*span)} == cells
    assert coverage.seen_of(bitmap) == seen
    assert not bitmap.endswith(b"\0")
