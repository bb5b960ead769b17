"""Events on their way to a running playhead, over a WebSocket: sent, acknowledged, and sent again."""

from __future__ import annotations

from contextlib import suppress

import aiohttp
import orjson

from service.cli.delivery import ANSWER_SECONDS_MAX, UNAVAILABLE, Answer, Asked, Delivery


class StreamedDelivery(Delivery):
    """Has one connection, opened when it is needed, for one caller at a time; an event is a message."""

    path = "/v1/stream"

    _socket: aiohttp.ClientWebSocketResponse | None = None
    _received = 0

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def _ask(self, events: list[bytes]) -> Asked:
        try:
            if self._socket is None:
                self._socket, self._received = await self._http.ws_connect(self._url), 0
            for event in events:
                await self._socket.send_str(event.decode())
            return await self._answer(self._socket, len(events))
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status not in UNAVAILABLE:
                raise
            return Asked(None, f"{self._url} answers {refused.status}, for {len(events)} events not now", 0)
        except BaseException:
            with suppress(aiohttp.ClientError):
                await self.close()
            raise

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, events: int) -> Asked:
        """Of as many events as were sent, whose first one is next to be answered."""
        first, wait_seconds, answer = self._received, 0, Answer(0, 0, [])
        while self._received < first + events:
            message = await socket.receive(timeout=ANSWER_SECONDS_MAX)
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise aiohttp.ClientConnectionError(f"closed with {socket.close_code} {message.extra or ''}")
            told = orjson.loads(message.data)
            self._received = told["received"]
            wait_seconds = max(wait_seconds, told.get("retry_after_seconds", 0))
            rejected = [(one["index"] - first, one["reason"], one["detail"]) for one in told["rejected"]]
            answer = Answer(
                answer.accepted + told["accepted"],
                answer.duplicates + told["duplicates"],
                answer.rejected + rejected,
            )
        return Asked(answer, f"{self._url} cannot count some events now", wait_seconds)
