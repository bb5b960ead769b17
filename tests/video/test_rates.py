"""A key's limit of events holds for what players report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from service.access.keyring import Scope, new_token
from service.settings import Settings
from tests.api.conftest import serving
from tests.api.keys import bearer, line_of
from tests.video.players import put_course, segment

if TYPE_CHECKING:
    from tests.api.client import Answer

TOKEN = new_token()


@pytest.mark.parametrize("is_synced", [False, True])
async def test_each_segment_is_drawn(
    emptied_redis_url: str, module_database_url: str, name: str, is_synced: bool
) -> None:
    line = line_of("web", TOKEN, Scope.ADMIN, events=100)
    settings = Settings(keys=line, shutdown_seconds=1)
    async with serving(settings, emptied_redis_url, module_database_url) as api:

        class Web:
            async def call(self, method: str, path: str, body: object, _: object = None) -> Answer:
                sent = body if isinstance(body, bytes) else orjson.dumps(body)
                return await api.call(method, path, sent, bearer(TOKEN))

        web: Any = Web()
        await put_course(web, name)
        opening = {"userId": "ann", "lessonId": f"{name} 1"}
        session = (await web.call("POST", "/video/sessions", opening)).json["sessionId"]
        report = {"segments": [segment(f"s{at}", 0, 1) for at in range(2000)]}
        path, body = f"/video/sessions/{session}/progress", report
        if is_synced:
            path, body = "/video/sync", {"sessions": [report | {"sessionId": session}]}
        assert (await web.call("POST", path, body)).status == 200
        refused = await web.call("POST", path, body)
        assert (refused.status, refused.json["reason"]) == (429, "rate_exceeded")
