"""Everything that can fail in a way a person should read about.

PlayheadError
├── SettingsError           a setting is missing, malformed, or contradicts another
├── CannotStart             a port is taken, a folder cannot be used, a server does not come up
├── Unavailable             cannot be done now, may be tried again: answered as 503 with `Retry-After`
│   ├── QueueFull           more events wait in this process than its bound
│   ├── BacklogFull         more events wait for Postgres than the stream may hold
│   ├── Stopping            this process ends; another one, or the next, will answer
│   ├── MemoryFull          Redis has reached its maxmemory
│   ├── NotRecovered        Redis is not known to have all that Postgres has; it is being brought level
│   ├── RedisUnavailable    Redis did not answer in time, refused, or is loading
│   ├── PostgresUnavailable Postgres does not answer, and only it knows the user who left Redis
│   ├── JwksUnavailable     the keys of bearer tokens cannot be fetched, and this token's is not known
│   ├── OldApiUnavailable   the system that is moved from did not answer in time, or failed
│   └── NotCounted          the old system has a point that could not be counted here
├── NotFound                a user, movie or pair never seen: 404
├── NotAllowed              the request may not be made
│   ├── Unauthorized        no key or token, or one that is not known or no good: 401
│   │   └── UnknownKid      the token is signed with a key that was not published, or not when it was last looked
│   ├── Forbidden           the key lacks the scope, or the person may not: 403
│   └── RateExceeded        the key was used faster than it may be: 429
├── BadRequest              the request cannot be read: 400, 413, 415
├── Invalid                 a body was read, and says what nobody can mean: 422
├── Conflict                what is asked for contradicts what is there: 409
│   └── OldApiRefused       the system that is moved from did not take it
└── FlushConflict           the partition is another flusher's by now; nothing was written

Expected refusals of single events are values, not exceptions: `service.events.rejection.Rejection`.
"""

from __future__ import annotations

from typing import Any


class PlayheadError(Exception):
    """The root; its text is one sentence for the person who runs or calls playhead."""


class SettingsError(PlayheadError):
    pass


class CannotStart(PlayheadError):
    pass


class Unavailable(PlayheadError):
    """Nothing is known to have been applied; trying again later may help."""

    retry_after_seconds = 1
    reason = "unavailable"
    """A short word for programs."""


class QueueFull(Unavailable):
    pass


class BacklogFull(Unavailable):
    retry_after_seconds = 5


class Stopping(Unavailable):
    pass


class MemoryFull(Unavailable):
    retry_after_seconds = 5


class NotRecovered(Unavailable):
    retry_after_seconds = 2


class RedisUnavailable(Unavailable):
    retry_after_seconds = 2


class PostgresUnavailable(Unavailable):
    retry_after_seconds = 2


class JwksUnavailable(Unavailable):
    retry_after_seconds = 5


class OldApiUnavailable(Unavailable):
    retry_after_seconds = 2
    reason = "old_api_unavailable"


class NotCounted(Unavailable):
    retry_after_seconds = 2


class NotFound(PlayheadError):
    pass


class NotAllowed(PlayheadError):
    """Who asks may not, or not now. Its text never holds what was shown as key."""


class Unauthorized(NotAllowed):
    """`reason` is `no_key`, `unknown_key`, or what is wrong with a token."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class UnknownKid(Unauthorized):
    def __init__(self) -> None:
        super().__init__("unknown_kid", "the token is signed with a key that is not known here (kid)")


class Forbidden(NotAllowed):
    """`reason` is `missing_scope`, with the `scope` that the key lacks; of a person `missing_role`, `foreign_user`."""

    def __init__(self, reason: str, detail: str, scope: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.scope = scope


class RateExceeded(NotAllowed):
    """`unit` is what is limited: at most `quota` of them in `window_seconds`."""

    def __init__(self, unit: str, quota: int, window_seconds: int, retry_after_seconds: int) -> None:
        super().__init__(
            f"more than {quota // window_seconds} {unit} a second came with this key;"
            f" try again in {retry_after_seconds} s"
        )
        self.unit = unit
        self.quota = quota
        self.window_seconds = window_seconds
        self.retry_after_seconds = retry_after_seconds


class BadRequest(PlayheadError):
    """`status` is the HTTP status, `reason` the short word that metrics and clients see."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class Invalid(PlayheadError):
    """`rejected` says of each wrong field its `field`, `reason` and `detail`; there is at least one."""

    def __init__(self, rejected: list[dict[str, object]]) -> None:
        super().__init__(str(rejected[0]["detail"]))
        self.reason = str(rejected[0]["reason"])
        self.rejected = rejected


class Conflict(PlayheadError):
    """`reason` is a short word for programs; `members` say more for them."""

    status = 409

    def __init__(self, reason: str, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.reason = reason
        self.members: dict[str, Any] = members


class OldApiRefused(Conflict):
    """Its text is what the old system said."""

    def __init__(self, detail: str) -> None:
        super().__init__("old_api_refused", detail)


class FlushConflict(PlayheadError):
    """`partitions` are those that are not as the flush says; the others it could have written."""

    def __init__(self, detail: str, partitions: frozenset[int]) -> None:
        super().__init__(detail)
        self.partitions = partitions
