"""Scalars that GraphQL has not got."""

from __future__ import annotations

from typing import Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from service.courses.dates import end_of_day_us
