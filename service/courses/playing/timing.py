"""When what a player reports was played, where it does not say so itself, and in which order it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.rules.spans import NORMAL_SPEED, length_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.courses.playing.seeks import Seek

US = 1000
"""Of a millisecond."""


class Segment(NamedTuple):
    """A span that was played, by the player's own name for it. `ended_us` is None where it does not say when."""

    name: str
    from_ms: int
    to_ms: int
    speed: int = NORMAL_SPEED
    ended_us: int | None = None


def ends_us(segments: Sequence[Segment], since_us: int, now_us: int) -> Iterator[int]:
    """When each was played to its end.

    Those that do not say so were played one after the other, until now. Where that takes longer than there was since
    `since_us`, each gets its share of that time: then it is seen of each that it was played too fast.
    """
    total_us = behind_us = sum(_wall_us(one) for one in segments if one.ended_us is None)
    room_us = max(0, now_us - since_us)
    for one in segments:
        if one.ended_us is not None:
            yield one.ended_us
            continue
        behind_us -= _wall_us(one)
        yield now_us - (behind_us if total_us <= room_us else behind_us * room_us // total_us)


def began_us(segments: Sequence[Segment], now_us: int) -> int:
    """When the first of them was begun, of a session that does not say when it was."""
    ends = zip(segments, ends_us(segments, 0, now_us), strict=True)
    return max(1, min((end_us - _wall_us(one) for one, end_us in ends), default=now_us))


def rounds(segments: Sequence[Segment], seeks: Sequence[Seek]) -> list[tuple[list[Segment], list[Seek]]]:
    """What is to be counted, and which seeks are judged by what was counted until then; at least one of these.

    A seek that says when it was comes after what was played by then, and one that does not after everything.
    """
    found: list[tuple[list[Segment], list[Seek]]] = []
    rest = list(segments)
    for at_us, seek in sorted(
        ((seek.at_us, seek) for seek in seeks if seek.at_us is not None), key=lambda one: one[0]
    ):
        before = [one for one in rest if one.ended_us is not None and one.ended_us <= at_us]
        if before or not found:
            found.append((before, [seek]))
            rest = [one for one in rest if one not in before]
        else:
            found[-1][1].append(seek)
    untimed = [seek for seek in seeks if seek.at_us is None]
    if rest or untimed or not found:
        found.append((rest, untimed))
    return found


def _wall_us(segment: Segment) -> int:
    return length_ms(segment.from_ms, segment.to_ms) * US * NORMAL_SPEED // segment.speed
