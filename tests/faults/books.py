"""The book-keeper: holds what was acknowledged against what can be read, by SQL of its own and by the model.

Nothing here is code of the flusher or the writer. What the numbers mean is said by `service.rules.model`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.rules.model import Model
from service.settings import Settings
from tests.faults.learners import UNTIMED, wrong_attempts
from tests.integration.ledgers import book_of_postgres, expected_of, is_settled
from tests.integration.reads import count, wrong_reads
from tests.integration.waiting import until

if TYPE_CHECKING:
    from tests.faults.writers import AnonymousWriter, Crowd

PARTITIONS = Settings.model_fields["partitions"].default
SETTLED_SECONDS = 60.0

ROWS_OF_SESSIONS = """
SELECT user_id, slug, session, count(*) AS rows, count(DISTINCT seq) AS seqs, min(seq) AS first, max(seq) AS last
FROM events WHERE seq IS NOT NULL AND NOT starts_with(user_id, $1) GROUP BY user_id, slug, session
"""

ROWS_WITHOUT_SEQ = """
SELECT user_id, extract(epoch FROM happened_at)::bigint AS ts FROM events
WHERE seq IS NULL AND NOT starts_with(user_id, $1) ORDER BY partition, entry_ms, entry_seq, ordinal
"""


@dataclass(slots=True)
class Findings:
    """`lost` and `doubled` count rows; `wrong` are sentences about everything else that is not as it must be."""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


class Books:
    """Of one playhead and all that was ever sent to it. `audit` may be called whenever nobody writes."""

    def __init__(self, crowd: Crowd, redis_url: str, database_url: str) -> None:
        self._crowd = crowd
        self._redis_url, self._database_url = redis_url, database_url
        self._model = Model()
        self._stored_anonymous: set[tuple[str, int]] = set()

    async def audit(self, url: str) -> Findings:
        """Waits until everything is in Postgres. Gives what was lost, doubled or is wrong."""
        await self.settle()
        findings = Findings()
        connection = await asyncpg.connect(self._database_url)
        try:
            await self._compare_anonymous(connection, findings)
            await asyncio.to_thread(self._count_new)
            await self._compare_rows(connection, findings)
            self._compare_snapshots(await book_of_postgres(connection), findings)
            if not findings:  # what attempts have follows from the events
                findings.wrong += await wrong_attempts(url, connection, self._crowd.learners)
        finally:
            await connection.close()
        findings.wrong += await wrong_reads(url, self._model)
        for answers in self._crowd.answers:
            findings.wrong += answers.unexpected
        return findings

    async def settle(self, seconds: float = SETTLED_SECONDS) -> float:
        """Until nothing is on its way to Postgres; gives how long that took."""
        return await until(self._is_settled, "everything in Postgres", seconds)

    async def _is_settled(self) -> bool:
        try:
            async with Redis.from_url(self._redis_url) as redis:
                connection = await asyncpg.connect(self._database_url, timeout=5)
                try:
                    return await is_settled(redis, connection, PARTITIONS)
                finally:
                    await connection.close()
        except (OSError, RedisError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    def _count_new(self) -> None:
        """Apply to the model what was acknowledged since the last audit, and forget it."""
        for sent in (self._crowd.probed, *(writer.sent for writer in self._crowd.writers)):
            count(self._model, sent)
            sent.clear()

    async def _compare_anonymous(self, connection: Any, findings: Findings) -> None:
        """Which of the uncertain ones counted, only the rows can tell; the model follows them."""
        stored: Counter[tuple[str, int]] = Counter(
            (record["user_id"], record["ts"]) for record in await connection.fetch(ROWS_WITHOUT_SEQ, UNTIMED)
        )
        for writer in self._crowd.anonymous:
            self._compare_writer(writer, stored, findings)
        sent = {
            (writer.user, ts): event
            for writer in self._crowd.anonymous
            for ts, event in (writer.acknowledged | writer.uncertain).items()
        }
        findings.wrong += [f"a row that nobody sent: {row}" for row in stored if row not in sent]
        news = [row for row in stored if row in sent and row not in self._stored_anonymous]
        count(self._model, [sent[row] for row in news])
        self._stored_anonymous.update(news)

    def _compare_writer(
        self, writer: AnonymousWriter, stored: Counter[tuple[str, int]], findings: Findings
    ) -> None:
        findings.lost += sum(not stored[writer.user, ts] for ts in writer.acknowledged)
        mine = writer.acknowledged | writer.uncertain
        findings.doubled += sum(max(0, stored[writer.user, ts] - 1) for ts in mine)

    async def _compare_rows(self, connection: Any, findings: Findings) -> None:
        """A session's `seq` go from 1 without a hole, so four numbers tell whether each has exactly one row."""
        expected = {
            (user, slug, name): session.seq_max
            for (user, slug), pair in self._model.pairs.items()
            for name, session in pair.sessions.items()
            if session.seq_max is not None
        }
        stored = {tuple(record)[:3]: record for record in await connection.fetch(ROWS_OF_SESSIONS, UNTIMED)}
        for session, sent in expected.items():
            record = stored.pop(session, None)
            if record is None:
                findings.lost += sent
                continue
            findings.lost += sent - record["seqs"]
            findings.doubled += record["rows"] - record["seqs"]
            if record["first"] < 1 or record["last"] > sent:
                findings.wrong.append(f"{session} has rows that nobody sent: {record}, sent {sent}")
        findings.wrong += [f"rows of a session that nobody sent: {session}" for session in stored]

    def _compare_snapshots(self, stored: dict[str, Any], findings: Findings) -> None:
        for part, expected in expected_of(self._model).items():
            for name, state in expected.items():
                if stored[part].get(name) != state:
                    said = f"snapshot of {part} {name}: {stored[part].get(name)} for {state}"
                    findings.wrong.append(said[:400])
            findings.wrong += [
                f"a snapshot of {part} that nobody wrote: {name}"
                for name in stored[part]
                if name not in expected and not _is_untimed(name)
            ]


def _is_untimed(name: str | tuple[object, ...]) -> bool:
    first = name if isinstance(name, str) else str(name[0])
    return first.startswith(UNTIMED)
