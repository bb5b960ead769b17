"""The addresses of a cluster's nodes, and the URL that names some of them.

`redis+cluster://user:password@host:port,host:port?options`, or `rediss+cluster://` for TLS; otherwise like redis-py's
URLs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio.connection import parse_url

SCHEMES = ("redis+cluster://", "rediss+cluster://")


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_cluster_url(url: str) -> bool:
    return url.startswith(SCHEMES)


def parse_cluster_url(url: str) -> tuple[list[Address], dict[str, Any]]:
    """Some of the nodes, and how to connect to all of them. Raises ValueError."""
    parts = urlsplit(url.replace("+cluster", "", 1))
    user, at, hosts = parts.netloc.rpartition("@")
    seeds: list[Address] = []
    options: dict[str, Any] = {}
    for host in hosts.split(","):
        options = cast("dict[str, Any]", parse_url(urlunsplit(parts._replace(netloc=f"{user}{at}{host}"))))
        seeds.append(Address(options.pop("host", "localhost"), options.pop("port", 6379)))
    if options.pop("db", 0):
        raise ValueError("a Redis Cluster has database 0 only")
    return seeds, options
