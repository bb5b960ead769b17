"""Types of GraphQL, made from the models that describe what REST reads and writes. A field is named in camelCase."""

from __future__ import annotations

import dataclasses
import types
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union, get_args, get_origin

import strawberry
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import JSON
from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from service.api.graphql.scalars import Long, Time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

Model = type[BaseModel]


@cache
def output_of(model: Model, *extra: StrawberryField) -> type:
    """A type whose objects are documents of that model. `extra` are fields of GraphQL alone."""
    fields = [_output_field(name, field) for name, field in model.model_fields.items()]
    return create_type(model.__name__, [*fields, *extra], description=model.__doc__)


@cache
def input_of(model: Model) -> type:
    """A type whose objects `document_of` turns into a body of that model."""
    fields = [_input_field(name, field) for name, field in model.model_fields.items()]
    name = model.__name__.removesuffix("Body") + "Input"
    return create_type(name, fields, is_input=True, description=model.__doc__)


def document_of(given: Any) -> Any:
    """An input as the body of REST's that it stands for, without what was left out."""
    if isinstance(given, list):
        return [document_of(one) for one in given]
    if not hasattr(given, "__strawberry_definition__"):
        return given
    members = {field.python_name: getattr(given, field.python_name) for field in _fields_of(given)}
    return {name: document_of(value) for name, value in members.items() if value is not strawberry.UNSET}


def member(source: Any, name: str) -> Any:
    """How fields without a resolver are read: documents have members, objects attributes."""
    return source[name] if isinstance(source, dict) else getattr(source, name)


def _fields_of(given: Any) -> list[StrawberryField]:
    found: list[StrawberryField] = given.__strawberry_definition__.fields
    return found


def _output_field(name: str, field: FieldInfo) -> StrawberryField:
    return StrawberryField(
        python_name=field.alias or name,
        graphql_name=to_camel(name),
        type_annotation=StrawberryAnnotation(_type_of(field.annotation, output_of, Long)),
        description=field.description,
    )


def _input_field(name: str, field: FieldInfo) -> StrawberryField:
    found, is_needed = _type_of(field.annotation, input_of, int), field.is_required()
    return StrawberryField(
        python_name=field.alias or name,
        graphql_name=to_camel(name),
        type_annotation=StrawberryAnnotation(found if is_needed else Optional[found]),
        description=field.description,
        default=dataclasses.MISSING if is_needed else strawberry.UNSET,
    )


def _type_of(given: Any, nested: Any, int_type: Any) -> Any:
    """The type of an annotation of pydantic's; what is said beside it is for REST's bodies, which are checked later."""
    origin = get_origin(given)
    if origin is Annotated:
        return _type_of(get_args(given)[0], nested, int_type)
    if origin in (Union, types.UnionType):
        return _union(get_args(given), nested, int_type)
    if origin is Literal:
        return _type_of(type(get_args(given)[0]), nested, int_type)
    if origin in (list, tuple):
        return list[_type_of(get_args(given)[0], nested, int_type)]  # type: ignore[misc]
    if isinstance(given, type) and issubclass(given, BaseModel):
        return nested(given)
    return _SCALARS.get(given, int_type if given is int else JSON)


def _union(parts: tuple[Any, ...], nested: Any, int_type: Any) -> Any:
    """Null or not; that text or a number may stand in one place is so of moments alone."""
    others = [_type_of(part, nested, int_type) for part in parts if part is not type(None)]
    found = others[0] if len(others) == 1 else Time
    return Optional[found] if type(None) in parts else found


_SCALARS: Mapping[Any, Any] = {str: str, float: float, bool: bool}
