"""Which Redis and which Postgres: the ones given, or the embedded ones of the data folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.embedded import embedded_database_url, embedded_redis_url

if TYPE_CHECKING:
    from service.settings import Settings


def redis_url_of(settings: Settings) -> str:
    return settings.redis_url or embedded_redis_url(settings.data_dir)


def database_url_of(settings: Settings) -> str:
    return settings.database_url or embedded_database_url(settings.data_dir)
