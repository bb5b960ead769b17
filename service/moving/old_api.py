"""The GraphQL address of the system that is moved from: what clients say goes there as they said it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import orjson
import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, ServerDisconnectedError

from service import clock, metrics
from service.errors import OldApiRefused, OldApiUnavailable
from service.limits import OLD_ANSWER_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.settings import Settings

_log = structlog.get_logger()

_CREDENTIALS: Final = frozenset(("authorization", "x-api-key"))
"""All of a client's headers that are passed on: it is for the old system, too, to say what the client may."""

_ANSWERED: Final = frozenset((200, *range(400, 500)))
"""Statuses with which it says what it thinks of a request; all others say that something is broken."""

_JSON: Final = frozenset(
    ("application/json", "application/graphql-response+json", "application/graphql+json")
)
"""What is passed on. A page of whatever stands in between would be shown as if it were ours."""

_TRIES: Final = 2
"""A connection that was kept open may be closed by the other side in the moment in which it is used again."""

_SAID_CHARS_MAX: Final = 300
"""Of what the old system says about a failure."""

Document = dict[str, Any]


@dataclass(frozen=True)
class OldAnswer:
    """As it came: JSON."""

    status: int
    body: bytes
    content_type: str

    @cached_property
    def document(self) -> Document:
        """Empty where it is none."""
        try:
            found = orjson.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def data(self) -> Document:
        found = self.document.get("data")
        return found if isinstance(found, dict) else {}

    @property
    def errors(self) -> list[Document]:
        found = self.document.get("errors")
        return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []

    @property
    def said(self) -> str:
        """What it says was wrong, in one line."""
        messages = [str(error.get("message", "")) for error in self.errors]
        return " ".join("; ".join(messages or [f"the answer is {self.status}"]).split())[:_SAID_CHARS_MAX]

    @property
    def is_taken(self) -> bool:
        """Whether nothing was wrong with what was asked."""
        return self.status == 200 and bool(self.data) and not self.errors


class OldApi:
    """One pool of connections a process. Every call raises OldApiUnavailable while the old system does not answer."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url = url
        # Nothing is unpacked, so that what is counted is all that there is.
        self._http = ClientSession(
            timeout=ClientTimeout(total=timeout_seconds), auto_decompress=False, cookie_jar=DummyCookieJar()
        )

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None where nothing is moved from."""
        url = settings.old_api_url
        return cls(url, settings.old_api_timeout_seconds) if url is not None else None

    async def close(self) -> None:
        await self._http.close()

    async def post(self, document: Document, headers: Mapping[str, str]) -> OldAnswer:
        """Its answer to a client's request, whatever it says; of `headers` those that are credentials go along."""
        shown = {name: value for name, value in headers.items() if name.lower() in _CREDENTIALS}
        return await self._post(orjson.dumps(document), shown)

    async def ask(self, document: Document, headers: Mapping[str, str]) -> Document:
        """The `data` of an answer to ourselves, with all of `headers`. Raises OldApiRefused with what it says else."""
        answer = await self._post(orjson.dumps(document), headers)
        if not answer.is_taken:
            raise OldApiRefused(f"the old system said: {answer.said}")
        return answer.data

    async def _post(self, body: bytes, shown: Mapping[str, str]) -> OldAnswer:
        started = clock.steady_seconds()
        try:
            answer = await self._tried(body, shown)
        except TimeoutError:
            raise _unavailable("timeout", "did not answer in time") from None
        except (ClientError, OSError) as failed:
            # Clients hear of it, who need not know by which address it is reached in here.
            _log.warning("old_api_unreachable", detail=f"{type(failed).__name__}: {failed}")
            raise _unavailable("unreachable", "cannot be reached") from None
        metrics.OLD_API_SECONDS.observe(clock.steady_seconds() - started)
        if answer.status not in _ANSWERED or answer.status == 429:
            raise _unavailable("failed", f"answered {answer.status}: {answer.said}")
        if answer.content_type not in _JSON:
            raise _unavailable(
                "failed", f"answered {answer.status} with {answer.content_type}, which is no JSON"
            )
        if answer.status != 200:
            metrics.OLD_API_FAILURES.labels("refused").inc()
        return answer

    async def _tried(self, body: bytes, shown: Mapping[str, str]) -> OldAnswer:
        for left in reversed(range(_TRIES)):
            try:
                return await self._once(body, shown)
            except ServerDisconnectedError:
                if not left:
                    raise
        raise AssertionError

    async def _once(self, body: bytes, shown: Mapping[str, str]) -> OldAnswer:
        """Redirects are not followed: they might lead away from TLS, credentials and all."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **shown}
        async with self._http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
            gathered = bytearray()
            async for chunk in answer.content.iter_any():
                gathered += chunk
                if len(gathered) > OLD_ANSWER_BYTES_MAX:
                    raise _unavailable("too_long", f"answered with more than {OLD_ANSWER_BYTES_MAX} bytes")
            return OldAnswer(answer.status, bytes(gathered), answer.content_type)


def _unavailable(outcome: str, what: str) -> OldApiUnavailable:
    metrics.OLD_API_FAILURES.labels(outcome).inc()
    return OldApiUnavailable(f"the old system {what}")
