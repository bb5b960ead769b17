"""The interface's description (OpenAPI 3.1), made from the calls that `service.api.routes` registers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from service.access.keyring import Scope
from service.access.people import Role
from service.api.calls import Json, Whose, reference
from service.api.problems import answering
from service.api.schemas import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.api.calls import Answer, Body, Call, Model, Parameter


@dataclass(frozen=True, slots=True)
class Description:
    """The document as it is sent."""

    document: bytes
    etag: str


IN_ADDRESS = "key_in_address"
KEY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, which `playhead keys create` makes. Each call names the scope that it needs.",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    IN_ADDRESS: {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "For beacons, which cannot set headers. Addresses are kept in histories and logs of others:"
        " use a key that may only `ingest`, or a token that expires soon.",
    },
}
TOKEN = "token"  # noqa: S105 - the name of a scheme
TOKEN_SCHEME: Json = {
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Who watches: a signed token whose `sub` is a `user`. A learner reads and sends only what is"
        " that user's own, and reads movies' totals and courses; a manager also reads what is of users in their"
        " teams; an admin may do everything. It is shown wherever a key is.",
    }
}

DESCRIPTION = web.AppKey("description", Description)


@answering
async def get_openapi(request: web.Request) -> web.StreamResponse:
    described = request.app[DESCRIPTION]
    headers = {"ETag": f'"{described.etag}"', "Cache-Control": "no-cache"}
    if any(known.value in (described.etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    return web.Response(body=described.document, headers=headers, content_type="application/json")


def describe(
    calls: Iterable[Call], tags: dict[str, str], read: Callable[[str], str], schemes: Json
) -> Description:
    """The description of `calls`. `tags` name their groups, in order; `read` gives a text of `service/web`.

    `schemes` are those by which one may show who one is; none where nobody has to.
    """
    described = [
        replace(call, description=read(call.prose)) if call.prose else call
        for call in calls
        if call.is_described
    ]
    document = orjson.dumps(_document(described, tags, read("introduction.md"), schemes))
    return Description(document, sha256(document).hexdigest()[:16])


def _document(calls: list[Call], tags: dict[str, str], introduction: str, schemes: Json) -> Json:
    paths: dict[str, Json] = {}
    for call in calls:
        paths.setdefault(_template(call.path), {})[call.method.lower()] = _operation(call, schemes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Playhead",
            "version": version("playhead"),
            "summary": "Real-time counters for watch events",
            "description": introduction,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name, "description": description} for name, description in tags.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(_models(calls)),
            "securitySchemes": schemes,
        },
    }


def _template(path: str) -> str:
    """The path as OpenAPI writes it: `{slug:.+}` is `{slug}`."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)


def _operation(call: Call, schemes: Json) -> Json:
    operation: Json = {
        "operationId": call.name,
        "tags": [call.tag],
        "summary": call.summary,
        "description": call.description,
        "parameters": [_parameter(parameter) for parameter in call.parameters],
        "responses": {str(answer.status): _response(answer) for answer in call.answers},
    }
    if call.bodies:
        content = {body.media_type: _body(body) for body in call.bodies}
        operation["requestBody"] = {"required": True, "content": content}
    if call.scope:
        is_admins = call.scope is Scope.ADMIN
        role = Role.ADMIN if is_admins or call.whose is Whose.PLAYHEADS else Role.LEARNER
        operation["security"] = [
            {name: [role if name == TOKEN else call.scope]}
            for name in schemes
            if name != IN_ADDRESS or not is_admins
        ]
    return {name: value for name, value in operation.items() if value}


def _parameter(parameter: Parameter) -> Json:
    described: Json = {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }
    return described if parameter.example is None else described | {"example": parameter.example}


def _body(body: Body) -> Json:
    examples = {
        re.sub(r"\W+", "_", summary): {"summary": summary, "value": value}
        for summary, value in body.examples.items()
    }
    return {"schema": body.schema, "examples": examples}


def _response(answer: Answer) -> Json:
    response: Json = {"description": answer.description}
    if answer.headers:
        response["headers"] = {
            name: {"description": description, "schema": {"type": "string"}}
            for name, description in answer.headers.items()
        }
    contents: Json = {}
    if answer.models:
        shapes = [reference(model) for model in answer.models]
        content: Json = {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}
        if answer.example:
            content["example"] = answer.example
        contents[_media_type(answer)] = content
    if answer.media_type:
        shape = "object" if answer.media_type == "application/json" else "string"
        contents[answer.media_type] = {"schema": {"type": shape}}
    return response | {"content": contents} if contents else response


def _media_type(answer: Answer) -> str:
    return "application/problem+json" if issubclass(answer.models[0], Problem) else "application/json"


def _models(calls: list[Call]) -> Iterator[Model]:
    for call in calls:
        yield from call.models
        for answer in call.answers:
            yield from answer.models


class _Untitled(GenerateJsonSchema):
    """Without a title for every field, which would repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _schemas(models: Iterator[Model]) -> Json:
    unique = dict.fromkeys(models)
    _, definitions = models_json_schema(
        [(model, "validation") for model in unique],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    schemas: Json = definitions["$defs"]
    return schemas
