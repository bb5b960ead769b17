"""The SQL of moving in, one statement a file, verb first. The comment on top says what the parameters are."""

from __future__ import annotations

from service.db import queries


def query(name: str) -> str:
    return queries.query(name, __name__)
