"""Every metric, registered in one place.

With several processes prometheus_client keeps them in the folder that PROMETHEUS_MULTIPROC_DIR names, which
`playhead serve` sets; `text` adds them up. What only the servers know (the backlog, its age) is asked for when it is
scraped.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REGISTRY = CollectorRegistry()

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)

_EVENTS = Counter("playhead_events", "Events by what became of them.", ["outcome"], registry=REGISTRY)
ACCEPTED = _EVENTS.labels("accepted")
DUPLICATES = _EVENTS.labels("duplicate")
REJECTIONS = Counter("playhead_rejections", "Rejected events by reason.", ["reason"], registry=REGISTRY)
UNAVAILABLE = Counter(
    "playhead_unavailable", "Requests answered 503, by cause.", ["cause"], registry=REGISTRY
)
REFUSALS = Counter(
    "playhead_refusals",
    "Requests and connections that were not let in, by reason.",
    ["reason"],
    registry=REGISTRY,
)
JWKS_FETCHES = Counter(
    "playhead_jwks_fetches",
    "Fetches of the keys that bearer tokens are checked with, by what became of them.",
    ["outcome"],
    registry=REGISTRY,
)
JWKS_AT = Gauge(
    "playhead_jwks_timestamp_seconds",
    "When that was last so, in the HTTP process where it is the longest ago.",
    ["outcome"],
    registry=REGISTRY,
    multiprocess_mode="livemin",
)
CALL_SECONDS = Histogram(
    "playhead_call_seconds", "Round trips that apply events.", registry=REGISTRY, buckets=_SECONDS
)
CALL_EVENTS = Histogram(
    "playhead_call_events",
    "Events that shared a round trip.",
    registry=REGISTRY,
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
)
STREAMS = Gauge("playhead_streams", "Open WebSockets.", registry=REGISTRY, multiprocess_mode="livesum")
STREAM_MESSAGES = Counter(
    "playhead_stream_messages", "Messages with events that came over WebSockets.", registry=REGISTRY
)
ACKNOWLEDGEMENTS = Counter(
    "playhead_stream_acknowledgements", "Messages that acknowledged events of WebSockets.", registry=REGISTRY
)
QUEUE_EVENTS = Gauge(
    "playhead_queue_events",
    "Events that wait for Redis in the HTTP processes.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
FLUSHED = Counter("playhead_flushed_events", "Events committed to Postgres.", registry=REGISTRY)
FLUSH_SECONDS = Histogram(
    "playhead_flush_seconds", "Flushes, from reading to trimming.", registry=REGISTRY, buckets=_SECONDS
)
FLUSH_FAILURES = Counter(
    "playhead_flush_failures", "Flushes that failed and were tried again.", registry=REGISTRY
)
SNAPSHOTS = Counter("playhead_snapshots", "Pairs whose snapshot was committed.", registry=REGISTRY)
SNAPSHOTS_REFUSED = Counter(
    "playhead_snapshots_refused", "Snapshots that Postgres refused, tried again later.", registry=REGISTRY
)
PARKED = Counter("playhead_entries_parked", "Entries that could not be stored, ever.", registry=REGISTRY)
PARKED_NOW = Gauge(
    "playhead_parked_entries",
    "Entries that could not be stored and wait for `playhead parked retry`.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
PARTITIONS_HELD = Gauge(
    "playhead_partitions_held",
    "Partitions that the flushers of this playhead hold.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

EVICTED = Counter("playhead_evicted_users", "Idle users who left Redis for Postgres.", registry=REGISTRY)
ERASED = Counter("playhead_erased_users", "Users erased on request.", registry=REGISTRY)
ADMITTED = Counter("playhead_admitted_users", "Users brought into Redis from Postgres.", registry=REGISTRY)
FOLLOWED = Counter(
    "playhead_followed_rows", "Raw events of lessons' movies that became viewings.", registry=REGISTRY
)
FOLLOW_FAILURES = Counter(
    "playhead_follow_failures", "Steps of following that failed and were tried again.", registry=REGISTRY
)
FOLLOWED_AT = Gauge(
    "playhead_followed_timestamp_seconds",
    "When all that was committed by then had last been followed; the latest of all flushers.",
    registry=REGISTRY,
    multiprocess_mode="mostrecent",
)
LEVELLED = Counter(
    "playhead_levelled_attempts",
    "Attempts that a worker levelled, not the call that had changed them.",
    registry=REGISTRY,
)
AUDIT_USERS = Counter("playhead_audit_users", "Users whose counters were audited.", registry=REGISTRY)
AUDIT_DRIFTS = Counter(
    "playhead_audit_drifts", "Audited counters that were not what the raw events give.", registry=REGISTRY
)
AUDIT_SKIPPED = Counter(
    "playhead_audit_skipped",
    "Users not audited: too many raw events, or not flushed in time.",
    registry=REGISTRY,
)
AUDIT_SECONDS = Histogram(
    "playhead_audit_seconds", "Audits, a user each.", registry=REGISTRY, buckets=_SECONDS
)

GRAPHQL_OPERATIONS = Counter(
    "playhead_graphql_operations", "Operations of GraphQL that were let in.", ["field"], registry=REGISTRY
)
SUBSCRIPTIONS = Gauge(
    "playhead_graphql_subscriptions",
    "Open subscriptions.",
    registry=REGISTRY,
    multiprocess_mode="livesum",
)

READS_SWITCHED = Gauge(
    "playhead_reads_switched",
    "1 where playhead answers reads in the old shapes, 0 where the old system does; the least of all HTTP processes.",
    ["shapes"],  # without a label it would be there, and 0, in processes that answer nothing
    registry=REGISTRY,
    multiprocess_mode="livemin",
)
OLD_API_SECONDS = Histogram(
    "playhead_old_api_seconds", "Answers of the old system.", registry=REGISTRY, buckets=_SECONDS
)
OLD_API_FAILURES = Counter(
    "playhead_old_api_failures",
    "Requests that the old system did not answer, or not with success, by what became of them.",
    ["outcome"],
    registry=REGISTRY,
)
POINTS_UNKNOWN = Counter(
    "playhead_points_unknown",
    "Points that only the old system took: their ids are not known here before the next import.",
    registry=REGISTRY,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(live: dict[str, tuple[str, float]]) -> bytes:
    """All metrics in Prometheus' text format; `live` holds name, help and value of what was just asked for."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        shown = generate_latest(registry)
    else:
        shown = generate_latest(REGISTRY)
    asked = CollectorRegistry()
    for name, (documentation, value) in live.items():
        Gauge(name, documentation, registry=asked).set(value)
    return shown + generate_latest(asked)
