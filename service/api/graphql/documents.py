"""Documents, parsed and checked: what is too deep, or would cost too much, is refused before anything is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values

from service import limits
from service.api.graphql.failures import refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graphql import SelectionSetNode


_ERRORS_MAX: Final = 10
"""Of one document, or of its variables: to tell each of a hundred thousand wrong ones takes many seconds."""


@dataclass(frozen=True, slots=True)
class Read:
    """What is wrong with a document for whoever sends it; `node` is None where it is none."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()


class Documents:
    """Of one schema. It keeps the last ones: clients send the same few again and again."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self.read = lru_cache(limits.GRAPHQL_DOCUMENTS_KNOWN_MAX)(self._read)

    def check(
        self,
        query: str,
        variables: Mapping[str, Any],
        operation_name: str | None,
        takes: Collection[OperationType],
    ) -> list[GraphQLError]:
        """What is wrong with it; nothing where it may be answered."""
        read = self.read(query)
        if read.node is None or read.errors:
            return list(read.errors)
        operation = operation_of(read.node, operation_name)
        if operation is None:
            return [
                refusal("unknown_operation", "operationName: expected the name of an operation that is there")
            ]
        if operation.operation not in takes:
            return [_elsewhere(operation.operation)]
        coerced = get_variable_values(
            self._schema, operation.variable_definitions or (), dict(variables), max_errors=_ERRORS_MAX
        )
        if isinstance(coerced, list):
            return coerced
        return self._costs(read.node, operation, coerced.coerced)

    def _read(self, query: str) -> Read:
        try:
            node = parse(
                query,
                max_tokens=limits.GRAPHQL_TOKENS_MAX,
                max_source_length=limits.GRAPHQL_QUERY_CHARS_MAX,
                max_comments=limits.GRAPHQL_TOKENS_MAX,
            )
            if errors := _written(node):
                return Read(None, tuple(errors))
            return Read(node, tuple(validate(self._schema, node, max_errors=_ERRORS_MAX)))
        except RecursionError:
            return Read(None, (_too_deep(),))
        except GraphQLError as error:
            error.extensions = {"reason": "syntax_error"}
            return Read(None, (error,))

    def _costs(
        self, node: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> list[GraphQLError]:
        fragments = {
            part.name.value: part for part in node.definitions if isinstance(part, FragmentDefinitionNode)
        }
        root = self._schema.get_root_type(operation.operation)
        assert root
        try:
            cost = _Costs(self._schema, fragments, variables).of(operation.selection_set, root)
        except GraphQLError as error:
            return [error]
        return [] if cost <= limits.GRAPHQL_COST_MAX else [_too_costly()]


class _Costs:
    """How many fields an answer has at most, if its lists are as long as they are asked for.

    Those that are longer, since no `limit` was said, are counted when they are there: `Context.spend`.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
    ) -> None:
        self._schema, self._fragments, self._variables = schema, fragments, variables
        self._met = 0

    def of(self, selected: SelectionSetNode, parent: Any, depth: int = 1, page: int | None = None) -> int:
        """`page` is the `limit` of the field around, which is that of the list in it."""
        if depth > limits.GRAPHQL_DEPTH_MAX:
            raise _too_deep()
        return sum(self._of_one(one, parent, depth, page) for one in selected.selections)

    def _of_one(self, one: object, parent: Any, depth: int, page: int | None) -> int:
        self._met += 1
        if self._met > limits.GRAPHQL_COST_MAX:
            raise _too_costly()
        match one:
            case FragmentSpreadNode():
                fragment = self._fragments[one.name.value]
                return self._of_fragment(fragment, fragment.type_condition.name.value, parent, depth, page)
            case InlineFragmentNode():
                named = one.type_condition.name.value if one.type_condition else None
                return self._of_fragment(one, named, parent, depth, page)
            case FieldNode() if one.selection_set and not one.name.value.startswith("__"):
                return self._of_field(one, parent, depth, page)
        return 1

    def _of_fragment(self, one: Any, named: str | None, parent: Any, depth: int, page: int | None) -> int:
        within = self._schema.get_type(named) if named else parent
        return self.of(one.selection_set, within, depth, page)

    def _of_field(self, one: FieldNode, parent: Any, depth: int, page: int | None) -> int:
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        assert one.selection_set
        field = parent.fields[one.name.value]
        own = self._limit(one, field.args["limit"].default_value) if "limit" in field.args else None
        times = 1
        if is_list_type(get_nullable_type(field.type)):
            times = limits.GRAPHQL_LIST_COST if page is None else page
        return 1 + times * self.of(one.selection_set, get_named_type(field.type), depth + 1, own)

    def _limit(self, one: FieldNode, otherwise: object) -> int | None:
        """What is written or said by a variable, as it is carried out; `otherwise` where it is left out."""
        given: Any = next((arg.value for arg in one.arguments or () if arg.name.value == "limit"), otherwise)
        if isinstance(given, VariableNode):
            given = self._variables.get(given.name.value, otherwise)
        if isinstance(given, IntValueNode):
            given = int(given.value)
        return max(1, min(given, limits.PAGE_MAX)) if isinstance(given, int) else None


class _Written(Visitor):
    """Counts what a document has, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = self.aliases = self.fragments = self.repeated = 0

    def enter_fragment_definition(self, *_: object) -> None:
        self.fragments += 1

    def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
        """Fields of the same name are held against each other, each with each."""
        names = Counter(
            one.name.value for one in node.selections if isinstance(one, FieldNode) and not one.alias
        )
        self.repeated = max([self.repeated, *names.values()])

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.fields += 1
        self.aliases += node.alias is not None

    def enter_fragment_spread(self, *_: object) -> None:
        self.fields += 1


def operation_of(node: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    """The one that is meant; None where that is none, or nobody knows which."""
    found = [
        part
        for part in node.definitions
        if isinstance(part, OperationDefinitionNode)
        and (name is None or (part.name is not None and part.name.value == name))
    ]
    return found[0] if len(found) == 1 else None


def _written(node: DocumentNode) -> list[GraphQLError]:
    counts = _Written()
    visit(node, counts)
    if counts.fields > limits.GRAPHQL_FIELDS_MAX:
        detail = f"the document has {counts.fields} fields, at most {limits.GRAPHQL_FIELDS_MAX} are taken"
        return [refusal("too_many_fields", detail)]
    if counts.repeated > limits.GRAPHQL_REPEATED_MAX:
        detail = (
            f"a field stands there {counts.repeated} times, at most {limits.GRAPHQL_REPEATED_MAX} are taken"
        )
        return [refusal("too_many_fields", detail)]
    if counts.fragments > limits.GRAPHQL_FRAGMENTS_MAX:
        detail = (
            f"the document has {counts.fragments} fragments, at most {limits.GRAPHQL_FRAGMENTS_MAX} are taken"
        )
        return [refusal("too_many_fields", detail)]
    if counts.aliases > limits.GRAPHQL_ALIASES_MAX:
        detail = f"the document has {counts.aliases} aliases, at most {limits.GRAPHQL_ALIASES_MAX} are taken"
        return [refusal("too_many_aliases", detail)]
    return []


def _too_deep() -> GraphQLError:
    return refusal("too_deep", f"fields are nested deeper than {limits.GRAPHQL_DEPTH_MAX}")


def _too_costly() -> GraphQLError:
    detail = f"the answer could have more than {limits.GRAPHQL_COST_MAX} fields: ask for less, or with a smaller limit"
    return refusal("too_costly", detail)


def _elsewhere(kind: OperationType) -> GraphQLError:
    where = {
        OperationType.QUERY: "queries are posted, or gotten",
        OperationType.MUTATION: "mutations are posted",
        OperationType.SUBSCRIPTION: "subscriptions go over a WebSocket, by graphql-transport-ws",
    }
    return refusal("wrong_operation", where[kind])
