"""What handlers reach through the application: made once, in `service.api.app`."""

from __future__ import annotations

from aiohttp import web
from redis.asyncio import Redis

from service.access.bucket import Bucket
from service.counters.reader import Reader
from service.counters.writer import Writer
from service.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
REDIS = web.AppKey("redis", Redis)
READER = web.AppKey("reader", Reader)
WRITER = web.AppKey("writer", Writer)

BUCKET = web.RequestKey("bucket", Bucket)
"""Of a request that posts events: what they are drawn from, where its key has a limit."""
