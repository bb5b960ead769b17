"""Courses with live counters, and the application over a database for all tests of a module."""

from __future__ import annotations

from tests.api.conftest import valkey
from tests.courses.conftest import api, cinema, emptied_redis_url, name

__all__ = ["api", "cinema", "emptied_redis_url", "name", "valkey"]
