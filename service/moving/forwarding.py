"""Which side a GraphQL request is for, and what of it is a write to the old system. Pure: nothing is sent here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NameNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    VariableNode,
    Visitor,
    print_ast,
    value_from_ast_untyped,
    visit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import SelectionSetNode

CREATE_POINT: Final = "createUserLessonProgress"
UPDATE_LESSON: Final = "updateUserLesson"

OLD_QUERIES: Final = frozenset(
    {
        "getUserCourse",
        "listUserCourses",
        "listUserCoursesByCourseId",
        "listUserCoursesByUser",
        "getUserLesson",
        "listUserLessons",
        "listUserLessonsByUserCourseId",
        "getUserLessonProgress",
        "listUserLessonProgress",
        "listUserLessonProgresses",
        "getCourse",
        "getLesson",
    }
)
"""Fields in the shapes of the old system. Those that playhead's schema lacks are refused before it is asked."""

OLD_MUTATIONS: Final = frozenset({CREATE_POINT, UPDATE_LESSON})


class Shape(StrEnum):
    """What an operation asks for: only the old system's, only playhead's own, or both."""

    OLD = "old"
    OWN = "own"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: its text, that text parsed and found valid, its variables, and which of its operations is meant."""

    query: str
    document: DocumentNode
    variables: Mapping[str, Any]
    operation_name: str | None = None

    @property
    def operation(self) -> OperationDefinitionNode:
        named = (
            part
            for part in self.document.definitions
            if isinstance(part, OperationDefinitionNode)
            and (self.operation_name is None or (part.name and part.name.value == self.operation_name))
        )
        return next(named)

    @property
    def is_query(self) -> bool:
        return self.operation.operation is OperationType.QUERY

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation is OperationType.MUTATION

    @property
    def as_sent(self) -> dict[str, Any]:
        """The body of a request that says so."""
        body: dict[str, Any] = {"query": self.query, "variables": dict(self.variables)}
        return body if self.operation_name is None else body | {"operationName": self.operation_name}


class Write(NamedTuple):
    """A field of a mutation: under which key the answer has it, and what it says; an update says no `point`."""

    key: str
    user_lesson: str
    progress: float | None
    point: str | None


def shape_of(asked: Asked) -> Shape:
    """What subscribers see is playhead's own, whatever it looks like."""
    if not asked.is_query and not asked.is_mutation:
        return Shape.OWN
    old = OLD_QUERIES if asked.is_query else OLD_MUTATIONS
    found = {field.name.value in old for field in _roots(asked) if not field.name.value.startswith("__")}
    if found == {True, False}:
        return Shape.MIXED
    return Shape.OLD if found == {True} else Shape.OWN


def with_ids(asked: Asked) -> Asked:
    """The same, each point with an id: both sides have to know it by one."""
    variables, nameless = _variables(asked), set()
    for field in _roots(asked):
        node = _input_of(field)
        if field.name.value != CREATE_POINT:
            continue
        if isinstance(node, VariableNode):
            name = node.name.value
            variables[name] = _named(variables.get(name))
        elif isinstance(node, ObjectValueNode) and (said_by := _id_variable(node)):
            # Written over, it would be a variable that is not used, which GraphQL refuses.
            variables[said_by] = variables.get(said_by) or new_id()
        elif isinstance(node, ObjectValueNode):
            nameless.add(node)
    if not nameless:
        return replace(asked, variables=variables)
    document = visit(asked.document, _Naming(nameless, variables))
    return replace(asked, query=print_ast(document), document=document, variables=variables)


def writes_of(asked: Asked) -> list[Write]:
    """What a mutation of old fields writes, in its order."""
    variables, writes = _variables(asked), []
    for field in _roots(asked):
        node = _input_of(field)
        given = value_from_ast_untyped(node, variables) if node is not None else None
        if field.name.value not in OLD_MUTATIONS or not isinstance(given, dict):
            continue
        key = field.alias.value if field.alias else field.name.value
        is_point = field.name.value == CREATE_POINT
        user_lesson = given.get("userLessonId" if is_point else "id", "")
        writes.append(Write(key, user_lesson, given.get("progress"), given.get("id") if is_point else None))
    return writes


def new_id() -> str:
    return str(uuid.uuid4())


class _Naming(Visitor):
    """Gives these objects an id, where they have none."""

    def __init__(self, nameless: set[ObjectValueNode], variables: Mapping[str, Any]) -> None:
        super().__init__()
        self._nameless = nameless
        self._variables = variables

    def enter_object_value(self, node: ObjectValueNode, *_: object) -> ObjectValueNode | None:
        given = value_from_ast_untyped(node, dict(self._variables))
        if node not in self._nameless or given.get("id") is not None:
            return None
        own = ObjectFieldNode(name=NameNode(value="id"), value=StringValueNode(value=new_id()))
        return ObjectValueNode(fields=(*(one for one in node.fields if one.name.value != "id"), own))


def _id_variable(node: ObjectValueNode) -> str | None:
    """That which says its id, if one does."""
    given = next((one.value for one in node.fields if one.name.value == "id"), None)
    return given.name.value if isinstance(given, VariableNode) else None


def _named(given: Any) -> Any:
    return given | {"id": new_id()} if isinstance(given, dict) and given.get("id") is None else given


def _variables(asked: Asked) -> dict[str, Any]:
    """As given, or as they are by default."""
    defaults = {
        one.variable.name.value: value_from_ast_untyped(one.default_value)
        for one in asked.operation.variable_definitions or ()
        if one.default_value is not None
    }
    return defaults | dict(asked.variables)


def _roots(asked: Asked) -> Iterator[FieldNode]:
    """The fields that it asks for itself, also through fragments. A valid document has no cycles in those."""
    fragments = {
        part.name.value: part
        for part in asked.document.definitions
        if isinstance(part, FragmentDefinitionNode)
    }

    def fields(selected: SelectionSetNode) -> Iterator[FieldNode]:
        for one in selected.selections:
            match one:
                case FieldNode():
                    yield one
                case InlineFragmentNode():
                    yield from fields(one.selection_set)
                case FragmentSpreadNode():
                    yield from fields(fragments[one.name.value].selection_set)

    return fields(asked.operation.selection_set)


def _input_of(field: FieldNode) -> Any:
    return next((one.value for one in field.arguments or () if one.name.value == "input"), None)
