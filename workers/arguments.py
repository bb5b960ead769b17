"""How gunicorn is told to run the HTTP processes: apart from those, whose modules take a second to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.settings import Settings

HANGING_SECONDS = 60
"""A worker whose event loop is stuck for so long is killed and started again."""


def arguments(configured: Settings) -> list[str]:
    """The command line of gunicorn, for `python -m`."""
    host = f"[{configured.host}]" if ":" in configured.host else configured.host
    return [
        "gunicorn",
        "workers.serving:create",
        "--worker-class=workers.serving.Worker",
        f"--workers={configured.workers}",
        f"--bind={host}:{configured.port}",
        "--reuse-port",
        "--no-control-socket",
        f"--graceful-timeout={configured.shutdown_seconds:.0f}",
        f"--timeout={HANGING_SECONDS}",
        "--log-level=warning",
        "--config=python:workers.serving",
    ]
