"""The calls of players, all together."""

from __future__ import annotations

from service.api.video.completing_calls import COMPLETING_CALLS
from service.api.video.reading_calls import READING_CALLS
from service.api.video.session_calls import SESSION_CALLS

VIDEO_TAGS = {"video": "Watching lessons, in the paths and words of the front ends that there are."}

VIDEO_CALLS = (*SESSION_CALLS, *READING_CALLS, *COMPLETING_CALLS)
