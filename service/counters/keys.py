"""The one module that spells Redis keys.

Every key begins with its partition's hash tag, so that a partition lies in one slot of a Redis Cluster. Names are
part of keys as they are, whatever they hold: only what follows the first `}` is theirs, and where two of them meet, the
length of the first one, in bytes, keeps `a:b` + `c` and `a` + `b:c` apart.

    {p7}:stream                 stream       entries on their way to Postgres
    {p7}:log                    hash         how many events were appended to it and trimmed from it; who left
    {p7}:call:<writer>          string       the answer of a writer's last call
    {p7}:user:<user>            string       totals of a user, and the pair and session of its last event
    {p7}:stride:<user>          string       how far it has gone on in that session since its record was written
    {p7}:pairs:<user>           hash         its other pairs and sessions
    {p7}:recent:<user>          sorted set   the movies of those pairs by the time of their latest event
    {p7}:ids:<user>             sorted set   idempotency keys by the time of receipt
    {p7}:coverage:<n>:<user><slug>  string   bitmap of the seconds seen of a movie
    {p7}:scopes:<user>          hash         what was played of each pair in each of its scopes, once it was cut
    {p7}:scoped:<n>:<user><scope>:<slug>  string  bitmap of the seconds seen of a movie in a scope
    {p7}:movie:<slug>           string       this partition's share of a movie's totals
    {p7}:heard:<session>        hash         when a watching session of the partition's user was last heard of

The scripts spell all but `heard` (`lua/include/names.lua`): they are given one key of the partition, and the names.

The buckets of API keys are of no partition: `playhead:bucket:<unit>:<key>`, a hash each.
"""

from __future__ import annotations

from functools import cache


@cache  # each read spells it four times
def _tag(partition: int) -> str:
    return f"{{p{partition}}}:"


def stream(partition: int) -> str:
    return f"{_tag(partition)}stream"


def log(partition: int) -> str:
    return f"{_tag(partition)}log"


def bucket(name: str) -> str:
    return f"playhead:bucket:{name}"


def call(partition: int, writer: str) -> str:
    return f"{_tag(partition)}call:{writer}"


def user(partition: int, name: str) -> str:
    return f"{_tag(partition)}user:{name}"


def stride(partition: int, name: str) -> str:
    return f"{_tag(partition)}stride:{name}"


def user_pattern(partition: int) -> str:
    """What matches every user of a partition, and nothing else."""
    return f"{_tag(partition)}user:*"


def user_prefix(partition: int) -> str:
    return user(partition, "")


def pairs(partition: int, name: str) -> str:
    return f"{_tag(partition)}pairs:{name}"


def recent(partition: int, name: str) -> str:
    return f"{_tag(partition)}recent:{name}"


def ids(partition: int, name: str) -> str:
    return f"{_tag(partition)}ids:{name}"


def coverage(partition: int, name: str, slug: str) -> str:
    return f"{_tag(partition)}coverage:{len(name.encode())}:{name}{slug}"


def scopes(partition: int, name: str) -> str:
    return f"{_tag(partition)}scopes:{name}"


def scope_coverage(partition: int, name: str, slug: str, scope: int) -> str:
    return f"{_tag(partition)}scoped:{len(name.encode())}:{name}{scope_field(slug, scope)}"


def movie(partition: int, slug: str) -> str:
    return f"{_tag(partition)}movie:{slug}"


def heard(partition: int, session: str) -> str:
    return f"{_tag(partition)}heard:{session}"


def pair_field(slug: str) -> str:
    """Of a user's hash of pairs."""
    return f"m:{slug}"


def scope_field(slug: str, scope: int) -> str:
    """Of a user's hash of scopes."""
    return f"{scope}:{slug}"


def session_field(slug: str, session: str) -> str:
    return f"s:{len(slug.encode())}:{slug}{session}"


def named_by(field: bytes) -> tuple[str, str | None]:
    """The slug, and the session if it is a session's, that a field of a user's hash of pairs is for."""
    if field.startswith(b"m:"):
        return field[2:].decode(), None
    length, _, names = field.removeprefix(b"s:").partition(b":")
    return names[: int(length)].decode(), names[int(length) :].decode()
