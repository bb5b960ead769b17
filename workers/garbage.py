"""Garbage in cycles, which Python looks for among all objects."""

from __future__ import annotations

import gc

OBJECTS_MADE = 20_000
"""So many more objects than were freed make Python look: some batches of events."""


def collect_seldom() -> None:
    """Look seldom, and never again among what was made until now.

    Events make no cycles, and are freed at once when nobody needs them; looking through each batch of them cost a
    seventh of decoding and a tenth of flushing (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_MADE, 20, 50)
