"""Which Redis and which Postgres: the ones given, or the embedded ones of the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio.connection import parse_url

from service.counters.addresses import is_cluster_url, parse_cluster_url
from service.embedded import embedded_database_url, embedded_redis_url
from service.errors import SettingsError

if TYPE_CHECKING:
    from service.settings import Settings


def redis_url_of(settings: Settings) -> str:
    """Raises SettingsError for a URL that names no Redis."""
    if settings.redis_url is None:
        return embedded_redis_url(settings.data_dir)
    try:
        if is_cluster_url(settings.redis_url):
            parse_cluster_url(settings.redis_url)
        else:
            parse_url(settings.redis_url)
    except ValueError as malformed:
        raise SettingsError(f"PLAYHEAD_REDIS_URL cannot be used: {malformed}") from None
    return settings.redis_url


def database_url_of(settings: Settings) -> str:
    return settings.database_url or embedded_database_url(settings.data_dir)
