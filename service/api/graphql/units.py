"""What `progress` counts for old clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.context import SETTINGS
from service.moving.model import Unit

if TYPE_CHECKING:
    from aiohttp import web


def unit_of(app: web.Application) -> Unit:
    return Unit(app[SETTINGS].old_progress_unit)
