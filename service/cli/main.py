"""`playhead`: every command, and how their failures are said."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import uvloop
from cyclopts import App, CycloptsError, Parameter

from service import logs, settings
from service.errors import PlayheadError

HELP = {"--help", "-h"}

app = App(
    name="playhead",
    help="Real-time counters for watch events: how long a movie was watched, how long a user watched,"
    " where they stopped.\n\n"
    "Settings are environment variables that begin with PLAYHEAD_; the README lists them all.",
    version=version("playhead"),
    version_flags=["--version"],
    help_flags=sorted(HELP),
)
COMMANDS = {
    "replay": "replay",
    "simulate": "simulate",
    "inspect": "inspect",
    "keys": "keys",
    "audit": "audit",
    "rebuild": "audit",
    "recover": "audit",
    "parked": "parked",
    "move": "move",
}
"""Each with the module beside this one that has it, which is loaded when it is called: `serve` needs none of them."""

for name, module in COMMANDS.items():
    app.command(f"service.cli.{module}:{name}", name=name)


@app.command
def serve(*, flusher: Annotated[bool, Parameter(negative="--no-flusher")] = True) -> None:
    """Serve until Ctrl-C or SIGTERM: HTTP on PLAYHEAD_PORT (8000), and the flusher to Postgres.

    Starts its own Valkey and Postgres in PLAYHEAD_DATA_DIR where PLAYHEAD_REDIS_URL and PLAYHEAD_DATABASE_URL name
    none. Brings the database's schema up to date first.

    Parameters
    ----------
    flusher
        Without it events stay in Redis until a `playhead flush` elsewhere takes them.
    """
    from workers.supervisor import Supervisor  # noqa: PLC0415 - only this command needs gunicorn and its like

    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    Supervisor(configured).run(with_flusher=flusher)


@app.command
def flush() -> None:
    """Move acknowledged events from Redis into Postgres until Ctrl-C or SIGTERM. `serve` does this by itself."""
    from workers.flushing import run  # noqa: PLC0415

    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    uvloop.run(run(configured))


@app.command
async def migrate(
    revision: str = "head",
) -> None:
    """Bring the database's schema up to date, or to a given revision. `serve` does this by itself.

    Parameters
    ----------
    revision
        `head`, or the number of an earlier revision: what later ones added is dropped, with its data.
    """
    from service.db import migrate as migrations  # noqa: PLC0415
    from service.db.revision import current, head  # noqa: PLC0415
    from workers.servers import database_url_of  # noqa: PLC0415

    url = database_url_of(settings.load())
    before = await current(url)
    if revision in ("head", head()):
        await migrations.upgrade(url)
    else:
        await migrations.downgrade(url, revision)
    print(f"schema: {before or 'nothing'} -> {await current(url) or 'nothing'}")


def main() -> None:
    """Exit codes: 0 done, 1 failed for the reason printed, 2 the command was not understood, 130 interrupted."""
    if not set(sys.argv[1:2]) - HELP:
        for name in COMMANDS:  # the list of commands says what each of them does
            app[name]
    try:
        result = app(
            sys.argv[1:],
            exit_on_error=False,
            print_error=True,
            result_action="return_value",
            backend="asyncio",
        )
    except CycloptsError:
        sys.exit(2)
    except (PlayheadError, OSError) as error:
        print(f"playhead: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)


if __name__ == "__main__":
    main()
