"""Totals of users and movies are the sums of their pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.guide.conftest import Viewer


async def test_a_movies_totals_are_the_sum_of_its_viewers(viewer: Viewer) -> None:
    await viewer.sends("segment", 10, start=0, user="ann")
    await viewer.sends("segment", 15, start=5, user="bob", speed=2)
    await viewer.pair()
    movie = viewer.model.movies["dune"]
    assert (movie.totals.watch_ms, movie.totals.effective_ms) == (20_000, 15_000)
    assert (movie.totals.unique_cells, movie.viewers, movie.totals.events) == (20, 2, 2)


async def test_a_users_totals_are_the_sum_of_their_movies(viewer: Viewer) -> None:
    await viewer.sends("segment", 10, start=0, slug="dune")
    await viewer.sends("segment", 10, start=0, slug="dune")
    await viewer.sends("segment", 10, start=0, slug="solaris")
    await viewer.pair()
    user = viewer.model.users["ann"]
    assert (user.totals.watch_ms, user.totals.unique_cells, user.movies, user.totals.events) == (
        30_000,
        20,
        2,
        3,
    )


async def test_opening_a_movie_makes_a_viewer(viewer: Viewer) -> None:
    await viewer.sends("load", 0)
    pair = await viewer.pair()
    assert (pair.latest_ms, pair.totals.events, viewer.model.movies["dune"].viewers) == (None, 1, 1)
