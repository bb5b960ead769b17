"""Which ranges of scopes an attempt should have, and what is to be done where it has others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Video(NamedTuple):
    """One video of a lesson; `slug` is the movie."""

    lesson: str
    revision: int
    slug: str


class OpenRange(NamedTuple):
    """A range that goes on; `part` counts those of the video in the attempt, from 1."""

    video: Video
    part: int
    first: int


@dataclass(frozen=True, slots=True)
class Layout:
    """An attempt as it is: what it counts, and what it should.

    `turn` rises with each change that its ranges have to follow. `wanted` are the videos that its course has now, or
    none once it is closed; `parts` says how many ranges each video has had.
    """

    attempt: int
    course: str
    user: str
    turn: int
    is_open: bool
    wanted: frozenset[Video]
    open: tuple[OpenRange, ...] = ()
    parts: Mapping[Video, int] | None = None

    @property
    def begins(self) -> list[Video]:
        """What is to count from now on."""
        return sorted(self.wanted - {one.video for one in self.open})

    @property
    def ends(self) -> list[OpenRange]:
        """What is to count no longer."""
        return sorted(one for one in self.open if one.video not in self.wanted)

    @property
    def slugs(self) -> set[str]:
        """The movies whose scope has to be cut for that."""
        return {video.slug for video in self.begins} | {one.video.slug for one in self.ends}

    def next_part(self, video: Video) -> int:
        return (self.parts or {}).get(video, 0) + 1


class Ending(NamedTuple):
    """A range is over; `last` is None where nothing was ever counted in it, and nothing is left of it."""

    attempt: int
    lesson: str
    revision: int
    part: int
    last: int | None


class Beginning(NamedTuple):
    attempt: int
    lesson: str
    revision: int
    part: int
    user: str
    slug: str
    first: int


def endings(layout: Layout, numbers: Mapping[str, int]) -> list[Ending]:
    """`numbers` has the scope of each movie that is current since the cut, in which nothing was counted before."""
    return [
        Ending(
            layout.attempt,
            one.video.lesson,
            one.video.revision,
            one.part,
            last if (last := numbers[one.video.slug] - 1) >= one.first else None,
        )
        for one in layout.ends
    ]


def beginnings(layout: Layout, numbers: Mapping[str, int]) -> list[Beginning]:
    """As `endings`."""
    return [
        Beginning(
            layout.attempt,
            video.lesson,
            video.revision,
            layout.next_part(video),
            layout.user,
            video.slug,
            numbers[video.slug],
        )
        for video in layout.begins
    ]
