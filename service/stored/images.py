"""A user's image, as Postgres has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.counters import images
from service.counters.images import UserImage
from service.counters.records import PairRecord, SessionRecord
from service.rules.model import Model, User
from service.stored.parked import parked_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from service.db.history import History
    from service.db.records import EntryId
    from service.rules.constants import Constants


class Versions(NamedTuple):
    """Up to which entry each snapshot is true.

    A session's is never newer than its pair's, but may be older (`workers.snapshots`): what lies between is counted for
    the pair, and missing in the session.
    """

    pairs: dict[tuple[str, str], EntryId]
    sessions: dict[tuple[str, str, str], EntryId]


async def snapshots_of(
    history: History, constants: Constants, names: Collection[str]
) -> tuple[Model, Versions]:
    """The pairs and sessions of these users as their snapshots say."""
    model, versions = Model(constants), Versions({}, {})
    for stored in await history.pairs(names):
        model.pairs[stored.user, stored.slug] = images.pair_of(PairRecord(*stored.record), stored.coverage)
        versions.pairs[stored.user, stored.slug] = stored.version
    # A pair whose first snapshot comes between these questions is of a user in Redis, where no image is put any more.
    for scope in await history.scopes(names):
        if pair := model.pairs.get((scope.user, scope.slug)):
            record = PairRecord(*scope.record)
            pair.scopes[record.scope] = images.counters_of(record, scope.coverage)
    for kept in await history.sessions(names):
        if pair := model.pairs.get((kept.user, kept.slug)):
            pair.sessions[kept.session] = images.session_of(SessionRecord(*kept.record))  # type: ignore[arg-type]
            versions.sessions[kept.user, kept.slug, kept.session] = kept.version
    return model, versions


async def remember_ids(history: History, model: Model, names: Collection[str], now_us: int) -> None:
    """Let the model know the ids that Postgres has of these users: what has one of them is a duplicate from here on."""
    since_us = now_us - model.constants.idempotency_window_us
    stored = await history.ids(names, since_us)
    for user, identity, received_us in stored + await parked_ids(history, names, since_us):
        model.users[user].ids[identity] = received_us


def images_of(model: Model, names: Iterable[str]) -> list[UserImage]:
    """One of each of these users: the model's pairs and ids."""
    found = {name: UserImage(name, ids=model.users.get(name, User()).ids) for name in names}
    for (user, slug), pair in model.pairs.items():
        if user in found:
            found[user].pairs[slug] = pair
    return list(found.values())
