"""How gunicorn is told to run the HTTP processes: apart from those, whose modules take a second to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.settings import Settings

HANGING_SECONDS = 60
"""A worker whose event loop is stuck for so long is killed and started again."""


def arguments(configured: Settings, listeners: Sequence[int]) -> list[str]:
    """The command line of gunicorn, for `python -m`; `listeners` are the numbers of open listening sockets."""
    return [
        "gunicorn",
        "workers.serving:create",
        "--worker-class=workers.serving.Worker",
        f"--workers={configured.workers}",
        *(f"--bind=fd://{number}" for number in listeners),
        "--no-control-socket",
        f"--graceful-timeout={configured.shutdown_seconds:.0f}",
        f"--timeout={HANGING_SECONDS}",
        "--log-level=warning",
        "--config=python:workers.serving",
    ]
