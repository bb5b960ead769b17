"""The hot SQL, one statement a file, verb first. The comment on top says what the parameters are."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def query(name: str, package: str = __name__) -> str:
    """The text of the statement `name`, which is its file's name without `.sql`; domains have packages of their own."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")
