"""Rounds of snapshots: what each ends with, and what a refused one leaves for the next."""

from __future__ import annotations

from service.db.records import EntryId, Snapshots
from workers.entries import NOBODY
from workers.progress import Progress
from workers.snapshots import Snapshot

ANN, BOB, EVE = ("ann", "dune"), ("bob", "dune"), ("eve", "dune")


def progress(**changed: set[str]) -> Progress:
    return Progress(
        1, EntryId(5, 0), 50, {(user, "dune"): sessions for user, sessions in changed.items()}, ""
    )


def snapshot() -> Snapshot:
    return Snapshot(0, EntryId(9, 0), EntryId(9, 0), Snapshots(), {})


def test_only_the_last_snapshot_of_a_round_says_that_all_is_there() -> None:
    """Up to where the round began: what has changed since waits for the next one."""
    mine = progress(ann={"a"}, bob={"b"})
    mine.begin_round()
    mine.cursor, mine.appended, mine.changed = EntryId(7, 0), 70, {EVE: {"e"}}
    del mine.waiting[ANN]
    mine.took(snapshot())
    first = mine.snapshot_upto
    del mine.waiting[BOB]
    mine.took(snapshot())
    assert (first, mine.snapshot_upto, mine.snapshot_appended) == (None, EntryId(5, 0), 50)
    assert mine.is_unsnapshotted


def test_a_round_after_which_nothing_is_left_reaches_the_cursor() -> None:
    """Else nobody would move the checkpoint on while nothing comes in."""
    mine = progress(ann={"a"})
    mine.begin_round()
    mine.cursor, mine.appended = EntryId(7, 0), 70
    del mine.waiting[ANN]
    mine.took(snapshot())
    assert (mine.snapshot_upto, mine.snapshot_appended) == (EntryId(7, 0), 70)
    assert not mine.is_unsnapshotted


def test_what_was_refused_is_taken_last() -> None:
    """So it holds up nobody, as pairs are taken from the end."""
    mine = progress(ann={"a"}, bob={"b"})
    mine.begin_round()
    refused = {BOB: mine.waiting.pop(BOB)}
    mine.took(snapshot())
    mine.changed = {EVE: {"e"}, BOB: {"c"}, ANN: {"d"}}
    mine.put_back(refused)
    assert mine.changed == {BOB: {"b", "c"}, ANN: {"a", "d"}, EVE: {"e"}}
    assert next(iter(mine.changed)) == BOB
    assert mine.snapshot_upto is None
    assert not mine.waiting


def test_movies_of_pairs_that_were_taken_are_not_forgotten_when_the_round_fails() -> None:
    mine = progress(ann={"a"}, bob={"b"})
    mine.begin_round()
    refused = {BOB: mine.waiting.pop(BOB)}
    mine.movies = {"dune"}
    mine.took(snapshot())
    mine.put_back(refused)
    assert list(mine.changed) == [BOB, ANN, (NOBODY, "dune")]
    assert not mine.movies
