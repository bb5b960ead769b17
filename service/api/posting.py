"""What the description says of posting events: bodies, with examples that work when pasted, and answers."""

from __future__ import annotations

from dataclasses import replace

from service.api.calls import FAILED, KEYED, LATER, Answer, Body, failure, reference
from service.api.schemas import Event, EventsProblem, Outcome, Problem, SingleOutcome
from service.events.wire import EXPECTED
from service.limits import EVENTS_PER_BODY_MAX

EVENT_OR_LIST = {
    "oneOf": [
        reference(Event),
        {"type": "array", "items": reference(Event), "maxItems": EVENTS_PER_BODY_MAX},
    ]
}
EVENT_BODIES = (
    Body(
        "application/json",
        EVENT_OR_LIST,
        {
            "the least": {"user": "ann", "slug": "dune", "at": 4500},
            "a span, safe to repeat": {
                "user": "ann",
                "slug": "dune",
                "kind": "segment",
                "from": 4500,
                "at": 4530.5,
                "speed": 1.25,
                "session": "ann-tv-1",
                "seq": 1,
            },
            "many": [
                {"user": "ann", "slug": "dune", "at": 4510},
                {"user": "bob", "slug": "dune", "at": 10, "id": "bob-1"},
            ],
        },
    ),
    Body(
        "application/x-ndjson",
        {
            "type": "string",
            "description": "One event a line; blank lines are none. `application/ndjson`, `application/jsonl` and"
            " `application/x-jsonlines` mean the same.",
        },
        {
            "two lines": '{"user": "ann", "slug": "dune", "at": 4520}\n{"user": "bob", "slug": "dune", "at": 20}\n',
        },
    ),
    Body(
        "text/plain",
        {"type": "string", "contentMediaType": "application/json", "contentSchema": EVENT_OR_LIST},
        {"a beacon": '{"user": "ann", "slug": "dune", "at": 4530, "kind": "pause"}'},
    ),
)

STATE = {
    "user": "ann",
    "slug": "dune",
    "latest": {"at": 4500, "updated_at": "2026-11-20T20:15:00.250000Z"},
    "furthest": 4500,
    "verified": 0,
    "watch_seconds": 10,
    "effective_seconds": 10,
    "unique_seconds": 10,
    "implausible_seconds": 0,
}
"""Of a pair, after the first of the examples."""

REJECTED = {
    "index": 0,
    "field": "at",
    "reason": "missing_field",
    "detail": f"at is missing, expected {EXPECTED['at']}",
}
READ = (Problem, EventsProblem)
"""The second one for lines: some of them may have been read."""

EVENT_ANSWERS = (
    Answer(
        200,
        "What became of the events. All that are not in `rejected` are counted, and on disk. With `state` for a body"
        " that is one event.",
        (SingleOutcome, Outcome),
        example={"accepted": 1, "duplicates": 0, "rejected": [], "state": STATE},
    ),
    failure(
        400,
        "`not_json`, `bad_gzip`: the body cannot be read.",
        "not_json",
        "the body is not JSON: Invalid JSON: expected value at line 1 column 1",
        *READ,
    ),
    failure(
        408,
        "`body_timeout`: the body stopped coming.",
        "body_timeout",
        "no byte of the body came for 30 seconds",
        *READ,
    ),
    failure(
        413,
        "`too_large`, `too_many_events`, `too_many_rejections`: past a limit named above.",
        "too_many_events",
        f"the array holds {EVENTS_PER_BODY_MAX + 1} events, at most {EVENTS_PER_BODY_MAX} are taken at once",
        *READ,
    ),
    failure(
        415,
        "`unknown_encoding`: a `Content-Encoding` other than gzip.",
        "unknown_encoding",
        "Content-Encoding 'br' is not taken, gzip is",
        *READ,
    ),
    failure(
        422,
        "All were rejected. `reason` is that of the first one: `missing_field`, `unknown_field`, `misplaced_field`,"
        " `wrong_type`, `not_an_object`, `unknown_kind`, `empty`, `too_long`, `out_of_range`, `invalid_time`,"
        " `invalid_string`; of a line also `not_json`; with a token `foreign_user`.",
        "missing_field",
        f"no event was accepted; the first one: {REJECTED['detail']}",
        EventsProblem,
        accepted=0,
        duplicates=0,
        rejected=[REJECTED],
    ),
    failure(
        503,
        "`unavailable`: nothing can be made durable now, or no more can wait. Nothing is half-applied: send the same"
        " events again.",
        "unavailable",
        "Redis did not answer: Connection refused",
        *READ,
        headers=LATER,
    ),
    *KEYED[:-1],
    replace(KEYED[-1], models=READ),
    FAILED,
)

STREAM_ANSWERS = (
    Answer(101, "The WebSocket is open."),
    failure(
        400,
        "`unknown_subprotocol`: a `Sec-WebSocket-Protocol` was asked for.",
        "unknown_subprotocol",
        "no subprotocol is spoken here, so none may be asked for",
    ),
    failure(
        403,
        "`foreign_origin`: a page of an origin that is neither ours nor on the list asks. `missing_scope`: the key may"
        " not do this.",
        "foreign_origin",
        "pages of this origin may not open streams (PLAYHEAD_CORS_ORIGINS names those that may)",
        headers=KEYED[1].headers,
    ),
    failure(
        426,
        "`no_websocket`: this is for WebSockets only.",
        "no_websocket",
        "this is for WebSockets (RFC 6455, version 13)",
        headers={"Upgrade": "`websocket`", "Sec-WebSocket-Version": "`13`"},
    ),
    KEYED[0],
    KEYED[2],
    FAILED,
)
