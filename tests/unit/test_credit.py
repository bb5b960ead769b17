"""What watching before an assignment is worth."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.courses.cells import seen_in, spans_of
from service.courses.credits.credit import NO_CREDIT, Share, Watching, credit_of, seen_with, window_us
from service.courses.model import CreditPolicy

DURATION_MS = 100_000
SHARES = dict[str, list[tuple[int, int]]]


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


ASSIGNED_US = us("2026-03-15T10:00")
RECENT, EARLIER = "2026-03-01T00:00", "2026-02-01T00:00"


def watching(
    session: str, ended: str, *spans: tuple[int, int], flagged: tuple[int, int] = (0, 0)
) -> Watching:
    return Watching(session, us(ended), seen_in(spans), seen_in([flagged]))


CASES: dict[str, tuple[CreditPolicy, list[Watching], SHARES]] = {
    "nothing was watched": (CreditPolicy(), [], {}),
    "one session": (CreditPolicy(), [watching("a", RECENT, (0, 50))], {"a": [(0, 50)]}),
    "each cell goes to the session that had it first": (
        CreditPolicy(),
        [watching("b", RECENT, (40, 80)), watching("a", EARLIER, (0, 50))],
        {"a": [(0, 50)], "b": [(50, 80)]},
    ),
    "at the same moment by name": (
        CreditPolicy(),
        [watching("b", RECENT, (0, 50)), watching("a", RECENT, (0, 50))],
        {"a": [(0, 50)]},
    ),
    "a share may have holes": (
        CreditPolicy(),
        [watching("a", EARLIER, (10, 20)), watching("b", RECENT, (0, 30))],
        {"a": [(10, 20)], "b": [(0, 10), (20, 30)]},
    ),
    "never more than the lesson": (CreditPolicy(), [watching("a", RECENT, (90, 130))], {"a": [(90, 100)]}),
    "the cap cuts the latest and of it the end": (
        CreditPolicy(cap_permille=500),
        [watching("a", EARLIER, (70, 100)), watching("b", RECENT, (0, 60)), watching("c", RECENT, (60, 70))],
        {"a": [(70, 100)], "b": [(0, 20)]},
    ),
    "a cap is rounded down": (CreditPolicy(cap_permille=9), [watching("a", RECENT, (0, 9))], {}),
    "flagged watching counts nothing, the rest of its session does": (
        CreditPolicy(),
        [watching("a", EARLIER, (0, 50), flagged=(10, 50)), watching("b", RECENT, (40, 60))],
        {"a": [(0, 10)], "b": [(40, 60)]},
    ),
    "where flagged counts it does": (
        CreditPolicy(includes_flagged=True),
        [watching("a", EARLIER, (0, 50), flagged=(10, 50)), watching("b", RECENT, (40, 60))],
        {"a": [(0, 50)], "b": [(50, 60)]},
    ),
    "the window begins with its day": (
        CreditPolicy(),
        [watching("a", "2025-03-15T00:00", (0, 1)), watching("b", "2025-03-14T23:59:59", (1, 2))],
        {"a": [(0, 1)]},
    ),
    "a window of one month": (
        CreditPolicy(window_months=1),
        [watching("a", "2026-02-15T00:00", (0, 1)), watching("b", "2026-02-14T23:59", (1, 2))],
        {"a": [(0, 1)]},
    ),
    "a window of no month": (CreditPolicy(window_months=0), [watching("a", "2026-03-15T09:00", (0, 9))], {}),
}


@pytest.mark.parametrize("case", CASES)
def test_credit(case: str) -> None:
    """In whatever order the sessions come."""
    policy, watched, shares = CASES[case]
    for order in permutations(watched):
        credit = credit_of(order, policy, DURATION_MS, window_us(policy, ASSIGNED_US, UTC))
        assert {share.session: list(spans_of(share.seen)) for share in credit} == shares


def test_a_window_ends_where_the_course_is_at_home() -> None:
    """15 March began in Tokyo while it was the afternoon of the 14th in UTC."""
    watched = [watching("a", "2025-03-14T15:00", (0, 1)), watching("b", "2025-03-14T14:59", (1, 2))]
    since_us = window_us(CreditPolicy(), ASSIGNED_US, ZoneInfo("Asia/Tokyo"))
    credit = credit_of(watched, CreditPolicy(), DURATION_MS, since_us)
    assert [share.session for share in credit] == ["a"]


OWN = seen_in([(0, 30)])
CREDIT = (Share("a", seen_in([(20, 60)])), Share("b", seen_in([(60, 70)])))


def test_a_credit_adds_what_was_not_seen() -> None:
    assert spans_of(seen_with(OWN, CREDIT)) == ((0, 70),)


def test_crediting_twice_changes_nothing() -> None:
    assert seen_with(seen_with(OWN, CREDIT), CREDIT) == seen_with(OWN, CREDIT)


def test_taken_back_it_leaves_what_was_seen_also_where_it_was_credited_too() -> None:
    later = OWN | seen_in([(50, 60)])
    assert spans_of(seen_with(later, CREDIT)) == ((0, 70),)
    assert spans_of(seen_with(later, NO_CREDIT)) == ((0, 30), (50, 60))


def test_what_is_credited_already_is_not_given_again_and_fills_the_cap() -> None:
    watched = [watching("a", EARLIER, (0, 30)), watching("b", RECENT, (20, 60))]
    policy, since_us = CreditPolicy(cap_permille=500), us(EARLIER)
    first = credit_of(watched[:1], policy, DURATION_MS, since_us)
    then = credit_of(watched, policy, DURATION_MS, since_us, seen_with(0, first))
    assert [(share.session, spans_of(share.seen)) for share in then] == [("b", ((30, 50),))]
    assert credit_of(watched, policy, DURATION_MS, since_us, seen_with(0, first + then)) == NO_CREDIT


CELL = st.integers(0, 110)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 20),
            st.lists(st.tuples(CELL, CELL), max_size=4),
        ),
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    st.integers(0, 1000),
)
def test_no_cell_is_credited_twice_and_no_more_than_the_cap(
    sessions: list[tuple[int, int, list[tuple[int, int]]]], cap: int
) -> None:
    watched = [Watching(str(name), ASSIGNED_US - 1 - ago, seen_in(spans)) for name, ago, spans in sessions]
    policy = CreditPolicy(cap_permille=cap)
    credit = credit_of(watched, policy, DURATION_MS, window_us(policy, ASSIGNED_US, UTC))
    union = seen_with(0, credit)
    all_seen = seen_with(0, tuple(Share(one.session, one.seen) for one in watched)) & (1 << 100) - 1
    assert union.bit_count() == sum(share.seen.bit_count() for share in credit)
    assert union.bit_count() == min(all_seen.bit_count(), cap // 10)
    assert union & ~all_seen == 0
