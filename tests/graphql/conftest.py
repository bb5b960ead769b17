"""The application over a database for all tests of a module, which keep apart by names."""

from __future__ import annotations

from tests.api.conftest import valkey
from tests.courses.conftest import api, emptied_redis_url, name

__all__ = ["api", "emptied_redis_url", "name", "valkey"]
