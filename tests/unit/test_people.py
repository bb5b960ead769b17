"""Who may do what to whose counters."""

from __future__ import annotations

import pytest

from service.access.people import Action, Person, Role, may

READ, WRITE, ADMINISTER = Action.READ, Action.WRITE, Action.ADMINISTER
SALES = frozenset({"sales"})

LEARNER = Person("ann")
LEARNER_IN_SALES = Person("ann", Role.LEARNER, SALES)
MANAGER = Person("max", Role.MANAGER, frozenset({"sales", "support"}))
ADMIN = Person("eve", Role.ADMIN)


@pytest.mark.parametrize(
    ("person", "user", "user_teams", "allowed"),
    [
        (LEARNER, "ann", (), {READ, WRITE}),
        (LEARNER, "ann", SALES, {READ, WRITE}),
        (LEARNER, "bob", (), set()),
        (LEARNER, "Ann", (), set()),
        (LEARNER, "ann ", (), set()),
        (LEARNER, "", (), set()),
        (LEARNER, None, (), set()),
        (LEARNER_IN_SALES, "bob", SALES, set()),
        (MANAGER, "max", (), {READ, WRITE}),
        (MANAGER, "bob", SALES, {READ}),
        (MANAGER, "bob", {"sales", "field"}, {READ}),
        (MANAGER, "bob", {"field"}, set()),
        (MANAGER, "bob", (), set()),
        (MANAGER, None, SALES, set()),
        (Person("max", Role.MANAGER), "bob", SALES, set()),
        (ADMIN, "bob", (), {READ, WRITE, ADMINISTER}),
        (ADMIN, "eve", (), {READ, WRITE, ADMINISTER}),
        (ADMIN, None, (), {READ, WRITE, ADMINISTER}),
    ],
)
def test_who_may_do_what(
    person: Person, user: str | None, user_teams: set[str], allowed: set[Action]
) -> None:
    assert {action for action in Action if may(person, action, user, frozenset(user_teams))} == allowed
