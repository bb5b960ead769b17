"""The schema, and how an operation of it is run: checked before, and what fails told as it is told everywhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type

from service.api.graphql import old_operations as old
from service.api.graphql import own_mutations, own_operations
from service.api.graphql.derived import member
from service.api.graphql.documents import Documents
from service.api.graphql.failures import all_told, refusal
from service.api.graphql.scalars import SCALARS
from service.api.graphql.subscriptions import Subscription
from service.limits import GRAPHQL_ERRORS_MAX, GRAPHQL_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphql import DocumentNode

    from service.api.graphql.context import Context
    from service.api.graphql.requests import Wanted

QUERIES = (
    old.get_user_course,
    old.get_user_lesson,
    old.get_course,
    old.get_lesson,
    old.list_user_courses_by_course_id,
    old.list_user_courses_by_user,
    old.list_user_lessons_by_user_course_id,
    old.list_user_lesson_progress,
    own_operations.course,
    own_operations.courses,
    own_operations.assignment,
    own_operations.assignments,
    own_operations.attempt,
    own_operations.why,
    own_operations.lesson_progress,
    own_operations.unassigned_history,
    own_operations.limit,
    own_operations.skip_analytics,
    own_operations.movie,
    own_operations.user,
    own_operations.pair,
)
MUTATIONS = (
    old.create_user_lesson_progress,
    old.update_user_lesson,
    own_mutations.start_session,
    own_mutations.report_progress,
    own_mutations.heartbeat,
    own_mutations.close_session,
    own_mutations.sync_sessions,
    own_mutations.complete_attempt,
    own_mutations.assign,
    own_mutations.unassign,
    own_mutations.renew,
)


class Checked(SchemaExtension):
    """Takes the document as it was read, and refuses what `Documents` refuses."""

    def on_parse(self) -> Iterator[None]:
        asked = self.execution_context
        asked.graphql_document = DOCUMENTS.read(asked.query or "").node
        yield

    def on_validate(self) -> Iterator[None]:
        asked, context = self.execution_context, self.execution_context.context
        asked.pre_execution_errors = []
        if not context.is_checked:
            asked.pre_execution_errors = DOCUMENTS.check(
                asked.query or "", asked.variables or {}, asked.operation_name, context.takes
            )
        yield


class Told(MaskErrors):
    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        return all_told(errors)


class Schema(strawberry.Schema):
    def process_errors(self, errors: Any, execution_context: Any = None) -> None:
        """What is to be logged is logged where it is told."""


SCHEMA = Schema(
    create_type("Query", list(QUERIES)),
    create_type("Mutation", list(MUTATIONS)),
    Subscription,
    config=StrawberryConfig(default_resolver=member, scalar_map=SCALARS),
    extensions=[Told, Checked],
)
DOCUMENTS = Documents(SCHEMA._schema)
SDL = SCHEMA.as_str() + "\n"

Answer = dict[str, Any]


def document_of(wanted: Wanted, context: Context) -> DocumentNode | list[GraphQLError]:
    """What is asked for, or what is wrong with it."""
    errors = DOCUMENTS.check(wanted.query, wanted.variables, wanted.operation_name, context.takes)
    node, context.is_checked = DOCUMENTS.read(wanted.query).node, not errors
    return all_told(errors) if errors or node is None else node


async def run(wanted: Wanted, context: Context) -> Answer:
    """What is under way when the time is over is not cancelled, which might leave it done by halves."""
    running = asyncio.create_task(
        SCHEMA.execute(
            wanted.query, wanted.variables, context_value=context, operation_name=wanted.operation_name
        )
    )
    done, _ = await asyncio.wait({running}, timeout=GRAPHQL_TIMEOUT_SECONDS)
    if not done:
        running.add_done_callback(asyncio.Task.exception)
        detail = f"it was not answered within {GRAPHQL_TIMEOUT_SECONDS:g} seconds; whether it was done is not known"
        return answer(None, [refusal("timeout", detail)])
    result = running.result()
    return answer(result.data, result.errors or [])


def answer(data: Any, errors: list[GraphQLError]) -> Answer:
    said: Answer = {"errors": [error.formatted for error in errors[:GRAPHQL_ERRORS_MAX]]} if errors else {}
    return said | {"data": data}
