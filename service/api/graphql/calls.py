"""The calls of `/graphql`, as they are described."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from service.access.keyring import Scope
from service.api.calls import FAILED, KEYED, Answer, Body, Call, Parameter, Whose, reference
from service.api.graphql import endpoint
from service.api.schemas import Answer as Model

QUERY = "query ($id: ID!) { getUserCourse(id: $id) { id status course { title } } }"


class GraphqlRequest(Model):
    """An operation of GraphQL."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    query: Annotated[str, Field(description="a document", examples=[QUERY])]
    variables: dict[str, Any] | None = None
    operation_name: Annotated[str | None, Field(description="which of its operations")] = None


class GraphqlError(Model):
    """What went wrong; `extensions` has REST's `reason`."""

    model_config = ConfigDict(extra="allow")

    message: str
    extensions: dict[str, Any]


class GraphqlAnswer(Model):
    """What was asked for; null where all of it failed."""

    model_config = ConfigDict(extra="allow")

    data: dict[str, Any] | None
    errors: list[GraphqlError] | None = None


GRAPHQL_TAGS = {
    "graphql": "The same as GraphQL, and reads and writes in the shapes of systems that are moved from."
}

ANSWERS = (
    Answer(
        200,
        "The answer; what failed of it is in `errors`, each with `extensions.reason`. Documents are refused with"
        " `syntax_error`, `invalid_query`, `too_deep`, `too_costly`, `too_many_fields`, `too_many_aliases`.",
        (GraphqlAnswer,),
        example={
            "data": {"getUserCourse": {"id": "uc 1", "status": "InProgress", "course": {"title": "Safety"}}}
        },
    ),
    Answer(400, "`not_json`, `batch_refused`, `not_an_object`, `missing_field`, `wrong_type`; as `errors`."),
    Answer(413, "`too_large`; as `errors`."),
    Answer(415, "`not_json`: only `application/json` is taken; as `errors`."),
    *(Answer(said.status, said.description + " As `errors`.", headers=said.headers) for said in KEYED),
    FAILED,
)

GRAPHQL_CALLS = (
    Call(
        "POST",
        "/graphql",
        endpoint.post,
        "post_graphql",
        "graphql",
        "Ask or do something by GraphQL",
        ANSWERS,
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        with_own_guard=True,
        description="Queries need the scope `read`, what players report `ingest`, assigning `admin`: operation by"
        " operation, and of persons just as by REST. Subscriptions go over a WebSocket at the same path, by"
        " `graphql-transport-ws`; a key or token may come in its head, as `?key=`, or in the payload of"
        ' `connection_init`, as `{"Authorization": "Bearer ..."}`.',
        bodies=(
            Body(
                "application/json",
                reference(GraphqlRequest),
                {"a course of a user": {"query": QUERY, "variables": {"id": "uc 1"}}},
            ),
        ),
        models=(GraphqlRequest,),
    ),
    Call(
        "GET",
        "/graphql",
        endpoint.get,
        "get_graphql",
        "graphql",
        "Ask something by GraphQL, or subscribe",
        ANSWERS,
        scope=Scope.READ,
        whose=Whose.USERS_WITHIN,
        with_own_guard=True,
        description="Queries only: what changes anything is posted. Without `query` a WebSocket is opened, or it is"
        " said in words what is here.",
        parameters=(
            Parameter(
                "query", "query", "a document", {"type": "string"}, '{ movie(slug: "dune") { viewers } }'
            ),
            Parameter("variables", "query", "as JSON", {"type": "string"}),
            Parameter("operationName", "query", "which of its operations", {"type": "string"}),
        ),
    ),
    Call(
        "GET",
        "/graphql/schema",
        endpoint.get_schema,
        "get_graphql_schema",
        "graphql",
        "The schema of GraphQL",
        (Answer(200, "In the schema definition language.", media_type="text/plain"), FAILED),
        scope=None,
    ),
)
