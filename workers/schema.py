"""What the database must be like before anybody uses it: its schema, and how its data is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.counters.partitions import refuse_other_number
from service.db.revision import current, head
from service.errors import CannotStart

if TYPE_CHECKING:
    from service.db.ledger import Ledger


async def bring_to_head(database_url: str) -> None:
    """Upgrade the schema where it is not the newest. Raises CannotStart."""
    if await current(database_url) != head():
        from service.db.migrate import upgrade  # noqa: PLC0415 - Alembic takes half a second to load

        await upgrade(database_url)


async def verify_schema(database_url: str) -> None:
    """Raises CannotStart where it is not the newest."""
    stands = await current(database_url)
    if stands != head():
        raise CannotStart(
            f"the database's schema is at {stands or 'nothing'}, not at {head()}: run `playhead migrate`"
        )


async def verify_partitions(ledger: Ledger, partitions: int) -> None:
    """Make sure that the database's data is spread as the settings say. Raises CannotStart."""
    stored = await ledger.fix_setting("partitions", str(partitions))
    refuse_other_number(partitions, int(stored), "database")


async def verify_stored_partitions(ledger: Ledger, partitions: int) -> None:
    """The same for who only looks: where there is no data yet, nothing is settled by it."""
    stored = await ledger.fixed_setting("partitions")
    if stored is not None:
        refuse_other_number(partitions, int(stored), "database")
