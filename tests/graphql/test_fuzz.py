"""Whatever is put into operations, they answer, or say in our words why not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    get_named_type,
)

from tests.graphql.asking import post

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Api

TEXTS = [
    "", "a", "ann", "a\0b", "\U0010ffff", "x" * 5000, "-1", "2026-01-01T00:00:00Z", "yesterday", "course-",
    "lesson-YQBi", "AAAA", "é🎬", "9" * 40, "' OR 1=1",
]  # fmt: skip
SCALARS: dict[str, list[Any]] = {
    "String": TEXTS,
    "ID": TEXTS,
    "Int": [0, 1, -1, 100, 2**31 - 1, -(2**31)],
    "Long": [0, 1, -1, 2**63 - 1, 2**63, -(2**63)],
    "Float": [0, 1, -1, 1e308, 0.5, 172_800, 172_801, 1e-9, -0.0, 600],
    "Boolean": [True, False],
    "Time": ["x", "2026-01-01T00:00:00Z", 1e9, -5, 1e300, "", "2026-13-01T00:00:00Z"],
    "AWSDateTime": ["x", "2026-01-01T00:00:00Z"],
    "JSON": [None, {}, {"a": 1}, [], "x", {"a": "\0"}, "y" * 5000],
}
REQUESTS = 150


class Chance:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self, schema: Any) -> tuple[str, dict[str, Any]]:
        kind, root = self._random.choice([("query", schema.query_type), ("mutation", schema.mutation_type)])
        name, field = self._random.choice(list(root.fields.items()))
        given = {
            name: self.value(argument.type)
            for name, argument in field.args.items()
            if isinstance(argument.type, GraphQLNonNull) or self._random.random() < 0.6
        }
        head = ", ".join(f"${name}: {field.args[name].type}" for name in given)
        passed = ", ".join(f"{name}: ${name}" for name in given)
        called = f"{name}({passed})" if given else name
        return f"{kind} A{f'({head})' if given else ''} {{ {called} {self.selected(field.type)} }}", given

    def value(self, of: Any) -> Any:
        match of:
            case GraphQLNonNull():
                return self.value(of.of_type)
            case GraphQLList():
                return [self.value(of.of_type) for _ in range(self._random.randrange(4))]
            case GraphQLEnumType():
                return self._random.choice(list(of.values))
            case GraphQLInputObjectType():
                return {
                    name: self.value(field.type)
                    for name, field in of.fields.items()
                    if isinstance(field.type, GraphQLNonNull) or self._random.random() < 0.6
                }
            case _:
                return self._random.choice(SCALARS[of.name])

    def selected(self, of: Any, depth: int = 0) -> str:
        fields = get_named_type(of).fields.items()
        return f"{{ __typename {' '.join(filter(None, (self._one(name, field, depth) for name, field in fields)))} }}"

    def _one(self, name: str, field: Any, depth: int) -> str:
        leads_on = isinstance(get_named_type(field.type), GraphQLObjectType)
        if self._random.random() < 0.4 or (leads_on and depth == 2):
            return ""
        return name + (self.selected(field.type, depth + 1) if leads_on else "")


async def test_nothing_that_is_put_into_an_operation_breaks_it(api: Api, say: Callable[[str], None]) -> None:
    seed = random.randrange(10**6)
    say(f"seed {seed}")
    chance, schema = Chance(seed), build_schema((await api.get("/graphql/schema")).body.decode())
    for _ in range(REQUESTS):
        query, given = chance.request(schema)
        answer = await post(api, query, **given)
        assert answer.status == 200
        for error in answer.json.get("errors", ()):
            assert error["extensions"]["reason"] != "internal_error", (query, given)
