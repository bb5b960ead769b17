"""Everything that can fail in a way a person should read about.

PlayheadError
├── SettingsError           a setting is missing, malformed, or contradicts another
├── CannotStart             a port is taken, a folder cannot be used, a server does not come up
├── Unavailable             cannot be done now, may be tried again: answered as 503 with `Retry-After`
│   ├── QueueFull           more events wait in this process than its bound
│   ├── BacklogFull         more events wait for Postgres than the stream may hold
│   ├── NotRecovered        Redis is not known to have all that Postgres has; it is being brought level
│   └── RedisUnavailable    Redis did not answer in time, refused, or is loading
├── NotFound                a user, movie or pair never seen: 404
├── BadRequest              the request cannot be read: 400, 413, 415
└── FlushConflict           the partition is another flusher's by now; nothing was written

Expected refusals of single events are values, not exceptions: `service.events.rejection.Rejection`.
"""

from __future__ import annotations


class PlayheadError(Exception):
    """The root; its text is one sentence for the person who runs or calls playhead."""


class SettingsError(PlayheadError):
    pass


class CannotStart(PlayheadError):
    pass


class Unavailable(PlayheadError):
    """Nothing is known to have been applied; trying again later may help."""

    retry_after_seconds = 1


class QueueFull(Unavailable):
    pass


class BacklogFull(Unavailable):
    retry_after_seconds = 5


class NotRecovered(Unavailable):
    retry_after_seconds = 2


class RedisUnavailable(Unavailable):
    retry_after_seconds = 2


class NotFound(PlayheadError):
    pass


class BadRequest(PlayheadError):
    """`status` is the HTTP status, `reason` the short word that metrics and clients see."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class FlushConflict(PlayheadError):
    """`partitions` are those that are not as the flush says; the others it could have written."""

    def __init__(self, detail: str, partitions: frozenset[int]) -> None:
        super().__init__(detail)
        self.partitions = partitions
