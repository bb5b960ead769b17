"""Watching in courses: what attempts have of the live counters, and what keeps the two together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.courses.watching.following import Following
from service.courses.watching.levelling import Levelling
from service.courses.watching.watched import Watched
from service.courses.watching.why import Why

if TYPE_CHECKING:
    from service.courses.database import Database
    from service.rules.constants import Constants
    from service.stored.scopes import Scopes


class Watching:
    def __init__(self, database: Database, scopes: Scopes, constants: Constants) -> None:
        self.watched = Watched(database, scopes)
        self.why = Why(database, scopes)
        self.levelling = Levelling(database, scopes)
        self.following = Following(database, constants.implausible_tolerance_ms)
