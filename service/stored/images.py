"""A user's image, as Postgres has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

Versions = dict[tuple[str, str], "EntryId"]


async def snapshots_of(
    history: History, constants: Constants, names: Collection[str]
) -> tuple[Model, Versions]:
    """The pairs and sessions of these users as their snapshots say, and up to which entry each pair's is true."""
    model = Model(constants)
    versions: Versions = {}
    for stored in await history.pairs(names):
        model.pairs[stored.user, stored.slug] = images.pair_of(PairRecord(*stored.record), stored.coverage)
        versions[stored.user, stored.slug] = stored.version
    for scope in await history.scopes(names):
        record = PairRecord(*scope.record)
        counters = images.counters_of(record, scope.coverage)
        model.pairs[scope.user, scope.slug].scopes[record.scope] = counters
    for kept in await history.sessions(names):
        session = images.session_of(SessionRecord(*kept.record))  # type: ignore[arg-type]
        model.pairs[kept.user, kept.slug].sessions[kept.session] = session
    return model, versions


async def images_of(
    history: History, model: Model, names: Iterable[str], now_us: int, *, forgotten: Collection[str] = ()
) -> list[UserImage]:
    """One of each of these users: the model's pairs, and the ids that are still to be remembered.

    Of `forgotten` ones Postgres still has ids that are not to be remembered.
    """
    found = {name: UserImage(name) for name in names}
    for (user, slug), pair in model.pairs.items():
        if user in found:
            found[user].pairs[slug] = pair
    since_us = now_us - model.constants.idempotency_window_us
    remembered = [name for name in found if name not in forgotten]
    for user, identity, received_us in await history.ids(remembered, since_us):
        found[user].ids[identity] = received_us
    for user, identity, received_us in await parked_ids(history, remembered, since_us):
        found[user].ids[identity] = received_us
    for name, image in found.items():
        image.ids |= model.users.get(name, User()).ids
    return list(found.values())
