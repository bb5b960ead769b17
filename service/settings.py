"""The one reader of the environment: every setting, its unit and its default."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import SettingsError

PREFIX = "PLAYHEAD_"

SECRET_BYTES_MIN = 32
"""As many as HS256 makes of it (RFC 7518, 3.2)."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::\d{1,5})?")
"""In small letters, without a path: it is compared whole."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+:[ \t]*[\x21-\x7e\t ]+")

_SAFE = (
    "is https://…, or http:// to this machine (127.0.0.1, [::1], localhost), without a user or password in it"
)


def http_processes(processors: int) -> int:
    """As many as are quickest beside Redis, Postgres and the flusher (`docs/performance.md`).

    Events that wait in one process share a call to Redis, and its fsync; so a second one costs, and is worth it only
    where there is a processor for it.
    """
    return 1 if processors <= 2 else 2


class Settings(BaseSettings):
    """What may be set, as environment variables with the prefix PLAYHEAD_. Frozen: read once, at the root."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(description="port to listen on", ge=1, le=65535)] = 8000
    workers: Annotated[
        int,
        Field(
            default_factory=lambda: http_processes(os.cpu_count() or 1),
            description="HTTP processes on that port; by default two, or one where there are at most two processors",
            ge=1,
            le=64,
        ),
    ]
    flushers: Annotated[
        int, Field(description="flusher processes that share the partitions", ge=1, le=64)
    ] = 1
    published_host: Annotated[
        str | None,
        Field(description="where others reach it, if not at that address: a container's published port"),
    ] = None
    keys_file: Annotated[
        Path | None, Field(description="file of API keys; read again when it changes; see Security")
    ] = None
    keys: Annotated[str | None, Field(description="API keys, as lines of that file, separated by `;`")] = None
    open: Annotated[
        bool,
        Field(description="start where others can reach it though there are no keys: they may do anything"),
    ] = False
    api_key: Annotated[
        SecretStr | None, Field(description="the key that `playhead simulate` and `replay` show")
    ] = None
    tokens_secret: Annotated[
        SecretStr | None,
        Field(description="secret that HS256 bearer tokens are signed with, 32 bytes or more; see Security"),
    ] = None
    tokens_jwks_url: Annotated[
        str | None,
        Field(
            description="where the keys of RS256 and ES256 bearer tokens are published, as a JWKS; needs the next two"
        ),
    ] = None
    tokens_issuer: Annotated[str | None, Field(description="`iss` that tokens must have")] = None
    tokens_audience: Annotated[
        str | None, Field(description="`aud` that tokens must have; without it none that have one are taken")
    ] = None
    tokens_leeway_seconds: Annotated[
        int, Field(description="how far the clock of who signs tokens may be off", ge=0, le=300)
    ] = 30
    tokens_roles_claim: Annotated[
        str, Field(description="claim that holds `learner`, `manager` or `admin`", min_length=1)
    ] = "roles"
    tokens_teams_claim: Annotated[
        str, Field(description="claim that holds the teams that a manager manages", min_length=1)
    ] = "teams"
    data_dir: Annotated[
        Path, Field(description="folder of the embedded servers: everything that must survive a restart")
    ] = Path(".playhead")
    redis_url: Annotated[
        str | None,
        Field(description="Redis 7, Valkey or a cluster of either, to use in place of the embedded one"),
    ] = None
    database_url: Annotated[
        str | None, Field(description="Postgres 14 or later to use in place of the embedded one")
    ] = None
    partitions: Annotated[
        int, Field(description="how many ways users are spread; fixed once data is there", ge=1, le=1024)
    ] = 2

    heartbeat_interval_seconds: Annotated[
        int, Field(description="what a lone heartbeat is worth", ge=1, le=300)
    ] = 10
    heartbeat_gap_seconds: Annotated[
        int, Field(description="the longest step between heartbeats that counts as played", ge=1, le=3600)
    ] = 30
    implausible_tolerance_seconds: Annotated[
        int, Field(description="by how much a span may exceed what the clock allows", ge=0, le=3600)
    ] = 10
    idempotency_window_seconds: Annotated[
        int, Field(description="how long an event's id is remembered", ge=1, le=30 * 86400)
    ] = 86400

    stale_session_seconds: Annotated[
        int,
        Field(
            description="a watching session of which nothing was heard for so long is closed with what it had",
            ge=1,
            le=86400,
        ),
    ] = 300

    queue_events_max: Annotated[
        int, Field(description="events that may wait in one HTTP process for Redis; past it 503", ge=1)
    ] = 50_000
    backlog_events_max: Annotated[
        int, Field(description="events that may wait in Redis for Postgres; past it 503", ge=1)
    ] = 5_000_000
    redis_timeout_seconds: Annotated[
        float, Field(description="how long a request waits for Redis before it gets 503", gt=0, le=60)
    ] = 5.0
    replicas_min: Annotated[
        int, Field(description="replicas that must have an event before it is acknowledged", ge=0, le=16)
    ] = 0
    cors_origins: Annotated[
        str | None,
        Field(
            description="origins whose pages may call it, as `https://a.example, https://b.example`; `*`: all"
        ),
    ] = None
    connections_max: Annotated[
        int, Field(description="connections that one HTTP process takes; past it 503", ge=1)
    ] = 4096
    head_timeout_seconds: Annotated[
        float, Field(description="how long the head of a request may take before it gets 408", gt=0)
    ] = 10.0
    body_timeout_seconds: Annotated[
        float, Field(description="how long a client may be silent within a body before it gets 408", gt=0)
    ] = 30.0

    flush_interval_ms: Annotated[
        int, Field(description="pause of the flusher between two flushes", ge=1, le=10_000)
    ] = 100
    flush_events_max: Annotated[
        int, Field(description="events of one flush, roughly: bounds its memory", ge=1)
    ] = 20_000
    snapshot_interval_seconds: Annotated[
        float,
        Field(
            description="pause between two rounds of snapshots of what changed; a recovery replays what came since",
            ge=0,
            le=3600,
        ),
    ] = 60.0
    events_keep_days: Annotated[
        int,
        Field(description="raw events older than this are dropped, a day at a time; 0 keeps them all", ge=0),
    ] = 0
    follow_interval_seconds: Annotated[
        float,
        Field(
            description="how often what was watched of courses is kept by session and noted for attempts",
            gt=0,
            le=3600,
        ),
    ] = 10.0
    audit_users_per_minute: Annotated[
        int,
        Field(
            description="users picked at random whose counters the flusher's process holds against the raw events;"
            " 0 for none",
            ge=0,
            le=6000,
        ),
    ] = 10
    shutdown_seconds: Annotated[
        float, Field(description="how long requests under way may take when playhead stops", gt=0, le=300)
    ] = 15.0

    redis_memory_mb: Annotated[
        int,
        Field(
            description="memory in MiB that the embedded Valkey may use: as it gets scarce users leave sooner, past it"
            " events get 503; 0 for no bound. Another Redis has its own `maxmemory`",
            ge=0,
        ),
    ] = 0
    idle_seconds: Annotated[
        float,
        Field(
            description="a user of whom nothing came for so long leaves Redis for Postgres, until the next event;"
            " 0 keeps everybody, as long as memory is not scarce",
            ge=0,
        ),
    ] = 3600.0

    old_api_url: Annotated[
        str | None,
        Field(
            description="the GraphQL address of the system that is moved from: its progress mutations go there, too,"
            " and reads in its shapes, until `playhead move switch new`"
        ),
    ] = None
    old_api_headers: Annotated[
        SecretStr | None,
        Field(
            description="what `playhead move compare` shows the old system, like `x-api-key: ...`; several are"
            " separated by line breaks. Clients' own credentials are passed on as they came"
        ),
    ] = None
    old_api_timeout_seconds: Annotated[
        float, Field(description="how long the old system may take to answer", gt=0, le=60)
    ] = 10.0
    old_progress_unit: Annotated[
        Literal["seconds", "fraction", "percent"],
        Field(description="what `progress` counts in the old shapes: `seconds`, `fraction` or `percent`"),
    ] = "seconds"

    log_level: Annotated[str, Field(description="DEBUG, INFO, WARNING or ERROR")] = "INFO"
    log_format: Annotated[str, Field(description="`json`, `console`, or `auto`: console on a terminal")] = (
        "auto"
    )

    @model_validator(mode="after")
    def _tokens_are_safe(self) -> Self:
        """What is wrong with the secret is said without it."""
        secret, url = self.tokens_secret, self.tokens_jwks_url
        if secret is not None and len(secret.get_secret_value().encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"tokens_secret has fewer than {SECRET_BYTES_MIN} bytes: it could be guessed")
        if url is None:
            return self
        if not is_safe(url):
            raise ValueError(f"tokens_jwks_url {_SAFE}")
        if self.tokens_issuer is None or self.tokens_audience is None:
            raise ValueError(
                "tokens_jwks_url needs tokens_issuer and tokens_audience: the same keys sign tokens for others, too"
            )
        return self

    @model_validator(mode="after")
    def _old_api_is_safe(self) -> Self:
        if self.old_api_url is not None and not is_safe(self.old_api_url):
            raise ValueError(f"old_api_url {_SAFE}")
        if self.old_api_headers is not None and not _shown(self.old_api_headers):
            raise ValueError("old_api_headers has a line that is not like `x-api-key: ...`")
        return self

    @property
    def old_headers(self) -> dict[str, str]:
        """What is shown the old system where no client asks."""
        return _shown(self.old_api_headers) or {} if self.old_api_headers else {}

    @property
    def partition_backlog_events_max(self) -> int:
        """Each partition's share of the bound: a script sees no more than its own partition's stream."""
        return max(1, self.backlog_events_max // self.partitions)

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(origin.strip() for origin in (self.cors_origins or "").split(",") if origin.strip())

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.heartbeat_gap_seconds < self.heartbeat_interval_seconds:
            raise ValueError("heartbeat_gap_seconds must not be less than heartbeat_interval_seconds")
        if 0 < self.events_keep_days * 86400 < self.idempotency_window_seconds:
            raise ValueError(
                "events_keep_days must cover idempotency_window_seconds: ids are found in raw events"
            )
        for origin in self.origins - {"*"}:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"cors_origins: {origin!r} is no origin as browsers write it, like https://a.example:8443"
                )
        if self.log_format not in ("json", "console", "auto"):
            raise ValueError("log_format is one of json, console, auto")
        if self.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("log_level is one of DEBUG, INFO, WARNING, ERROR")
        return self


def _shown(headers: SecretStr) -> dict[str, str] | None:
    """By name; None where a line is none."""
    lines = [line.strip() for line in headers.get_secret_value().splitlines() if line.strip()]
    if not all(map(_HEADER.fullmatch, lines)):
        return None
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_safe(url: str) -> bool:
    """Whether nobody on the way can put keys of their own into the answer, and no password is in it."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if "@" in parts.netloc or not host or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    """By its spelling: what a name server answers could be wrong."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load() -> Settings:
    """The settings of this process.

    Raises SettingsError with one sentence for each setting that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as invalid:
        said = []
        for error in invalid.errors():
            name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else "settings"
            given = f", got {error['input']!r}" if error["loc"] else ""
            said.append(f"{name}: {error['msg']}{given}")
        raise SettingsError("; ".join(said)) from None
