"""What a person may do, and to whose counters. A server with an API key is no person: its scopes say what it may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A learner has their own only; a manager reads their teams as well; an admin may do everything."""

    LEARNER = "learner"
    MANAGER = "manager"
    ADMIN = "admin"


class Action(StrEnum):
    """`write` is to send what was watched; `administer` is to assign, to erase, and all that changes others."""

    READ = "read"
    WRITE = "write"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Person:
    """`user` is the name under which they watch; `teams` are those that they manage."""

    user: str
    role: Role = Role.LEARNER
    teams: frozenset[str] = frozenset()


def may(person: Person, action: Action, user: str | None, user_teams: frozenset[str] = frozenset()) -> bool:
    """Whether a person may do this with what is `user`'s, who is in `user_teams`; None is nobody, playhead itself."""
    if person.role is Role.ADMIN:
        return True
    if action is Action.ADMINISTER or user is None:
        return False
    if person.user == user:
        return True
    return person.role is Role.MANAGER and action is Action.READ and not person.teams.isdisjoint(user_teams)
