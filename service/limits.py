"""Every bound on what comes in, with its reason. What may be tuned for a machine is in `service.settings`."""

from __future__ import annotations

MS = 1000

POSITION_MAX_S = 48 * 3600
"""No movie is longer; a whole coverage bitmap then takes 21,600 bytes."""

SPEED_MIN, SPEED_MAX = 0.1, 16.0
"""Browsers play from 1/16 to 16; below a tenth nobody watches."""

USER_CHARS_MAX = 256
SLUG_CHARS_MAX = 512
SESSION_CHARS_MAX = 256
ID_CHARS_MAX = 256
"""Names are parts of Redis keys and index entries: long enough for a URL as slug, a URN or two UUIDs as id."""

SEQ_MAX = 2**53 - 2
"""Lua's numbers and JavaScript's are exact up to 2**53 - 1; one more is needed inside."""

SEQ_WINDOW = 1024
"""How many last `seq` of a session are told apart (design 2); as a bitmap they take 129 bytes."""

SEGMENTS_MAX = 2000
"""A claim's segments. The busiest real session on record had 241."""

TIME_MIN_S = 946_684_800
"""2000-01-01: an event cannot be older than the players that send it."""

TIME_MAX_S = 4_102_444_800
"""2100-01-01: past it a number of seconds is a number of milliseconds by mistake."""

TIME_CHARS_MAX = 64
"""RFC 3339 takes 32 with microseconds and an offset."""

EVENT_BYTES_MAX = 256 * 1024
"""One event that comes alone, or as a line of NDJSON. A claim of 2,000 segments takes about 90 KB at most."""

BODY_BYTES_MAX = 4 * 1024 * 1024
"""One JSON body, after gunzip: it is held in memory whole. NDJSON is streamed and may be longer."""

EVENTS_PER_BODY_MAX = 20_000
"""One JSON array: its events share an answer, whose rejections are listed one by one."""

STREAM_BYTES_MAX = 512 * 1024 * 1024
"""One NDJSON body, after gunzip: read chunk by chunk, so this bounds time, not memory."""

STREAM_REJECTIONS_MAX = 20_000
"""An NDJSON body with more rejected lines than this is not NDJSON of events; it is cut off there."""

RUN_EVENTS_MAX = 1000
"""Events in one call of the script: it holds Redis for some milliseconds, not longer."""

RUN_SEGMENTS_MAX = 8000
"""Segments of all claims in one call, for the same reason; one event may have up to SEGMENTS_MAX of them."""

TOKEN_CHARS_MAX = 8 * 1024
"""A bearer token: with some hundred teams in it. What is longer is not even hashed."""

PAGE_DEFAULT, PAGE_MAX = 20, 100
"""Items in one page of a list (design 3)."""

COURSE_CHARS_MAX = LESSON_CHARS_MAX = TEAM_CHARS_MAX = 128
"""Names of courses, lessons and teams: a UUID or a URN. With a user they fit into one entry of an index."""

TITLE_CHARS_MAX = 500
"""Of courses, lessons and teams."""

TIME_ZONE_CHARS_MAX = 64
"""The longest name of a zone has 32 characters."""

LESSONS_MAX = 500
"""Lessons of one course: they are read, compared and shown together."""

REVISIONS_MAX = 10_000
"""Videos that one lesson may have had."""

MONTHS_MAX = 120
"""Of a credit's window, and from one completion to when the next is due."""

LEAD_DAYS_MAX = 365
"""How long before it is due a renewal may be opened."""

ASSIGNMENTS_PER_BODY_MAX = 10_000
"""One JSON array of assignments; a CSV is streamed and may be longer."""

MEMBERS_PER_BODY_MAX = 10_000
"""Users added to a team at once."""

CSV_BYTES_MAX = 64 * 1024 * 1024
"""A CSV of assignments: a million lines."""

CSV_LINE_BYTES_MAX = 8 * 1024
"""Four names of the longest kind, escaped."""

ASSIGN_RUN_MAX = 500
"""Assignments written in one transaction: some ten milliseconds, in which nobody else may change them."""

RENEW_RUN_MAX = 200
"""Attempts that the worker opens in one transaction, for the same reason."""

CLIENT_ID_CHARS_MAX = 128
"""What a player calls a segment, a seek or a session of its own: with the session's name it fits into an event's id."""

WATCH_SESSION_CHARS_MAX = 64
"""The name of a watching session: a UUID, and room for another kind of it."""

PROGRESS_SEGMENTS_MAX = 2000
"""Segments of one session in one body: some hours of what a player buffered. More come in another body."""

PROGRESS_SEEKS_MAX = 200
"""Seeks of one session in one body: each past the limit is looked at and written by itself."""

SYNC_SESSIONS_MAX = 100
"""Sessions whose buffered progress comes in one body."""

CLIENT_INFO_BYTES_MAX = 4096
"""What a player says of itself: the name of a browser is long, a log is none of it."""

SEEK_REASON_CHARS_MAX = 500
"""What a player says of a seek."""

WATCH_SESSIONS_KNOWN_MAX = 20_000
"""Watching sessions that one process remembers, half a KB each: Postgres may be away, and these go on."""

HISTORY_VIEWINGS_MAX = 200
"""Sessions of one lesson that are looked at for what could be credited, the latest first."""

RECENT_SESSIONS_MAX = 20
"""Sessions that are shown with the progress of a lesson."""

LOOK_RUN_MAX = 500
"""Watching sessions that are looked at in one step, whether they are stale."""

GRAPHQL_BODY_BYTES_MAX = 1024 * 1024
"""One GraphQL request: its variables are taken apart in one go, while others wait."""

GRAPHQL_QUERY_CHARS_MAX = 64 * 1024
"""Of one document, with its comments."""

GRAPHQL_TOKENS_MAX = 2000
"""Of one document; what code generators write for old clients has some hundreds, an introspection 400."""

GRAPHQL_DEPTH_MAX = 12
"""Fields within fields; an introspection goes deeper, and is bounded by graphql-core."""

GRAPHQL_FIELDS_MAX = 400
"""Fields and fragments as they are written: they are compared pair by pair before anything is asked."""

GRAPHQL_REPEATED_MAX = 20
"""The same field in one place: who writes it a hundred times has a process compare for half a second."""

GRAPHQL_FRAGMENTS_MAX = 50
"""Of one document: what they select is compared, too."""

GRAPHQL_ALIASES_MAX = 30
"""Names for the same field: each root is an operation of its own."""

GRAPHQL_COST_MAX = 30_000
"""Fields of an answer: those of a list times its `limit`. Some hundred ms of one process."""

GRAPHQL_LIST_COST = 10
"""How many items a list without a `limit` is taken to have."""

GRAPHQL_ITEMS_MAX = 5000
"""Items of all lists of an answer in the old shapes, which may have none of their limits written: a hundred users with
fifty lessons each. Some hundred ms of one process."""

GRAPHQL_ERRORS_MAX = 100
"""Of one answer; what is too much fails for each item."""

GRAPHQL_TIMEOUT_SECONDS = 20.0
"""How long an answer may take; what it waits for has shorter bounds of its own."""

GRAPHQL_DOCUMENTS_KNOWN_MAX = 100
"""Documents that a process keeps parsed and checked, up to half a MB each: clients send the same few again."""

ASSIGNMENTS_PER_MUTATION_MAX = 100
"""More of them come by REST."""

SUBSCRIPTIONS_MAX = 1000
"""Of one process: each is looked at every second."""

SUBSCRIPTIONS_PER_PERSON_MAX = 100
"""Of one process, over all connections: some browser tabs, and never all that there is."""

SUBSCRIPTIONS_PER_CONNECTION_MAX = 20
"""A page shows no more lessons at once."""

SOCKET_MESSAGE_BYTES_MAX = 64 * 1024
"""One message of a subscriber: a document and its variables."""

OLD_ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""One answer of the old system: it is held in memory whole."""

PAST_THE_END_MS = 10_000
"""How far past its lesson's end an old client may say it is: durations are rounded, and players run over."""

NAMED_LESSONS_KNOWN_MAX = 50_000
"""Old ids of lessons whose users one process remembers, some 300 bytes each."""
