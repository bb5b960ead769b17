"""What playhead is shipped in holds together, as far as that shows without Docker: names, ports, pins, flags, files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cyclopts import CycloptsError
from redis.asyncio import Redis

from service.cli.main import app
from service.counters.connection import broken_promises
from service.embedded import binaries, valkey
from service.settings import PREFIX, Settings
from tests.api.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("service", "workers", "lua")
START_SECONDS = 10.0

COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "playhead"}
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
LOCK = (REPOSITORY / "requirements.lock").read_text()
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def instructions(word: str, text: str = DOCKERFILE) -> list[str]:
    """What follows such a word in the Dockerfile, each with its continued lines joined."""
    joined = re.sub(r"\\\n", " ", text)
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


def stage(name: str) -> str:
    """The text of one stage of the Dockerfile and of the stages that it stands on."""
    stages = re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)
    own = next(text for text in stages if re.match(rf"FROM \S+ AS {name}\n", text))
    below = own.split()[1]
    return (stage(below) if any(f" AS {below}\n" in text for text in stages) else "") + own


def filled(value: str) -> str:
    """As Compose fills it in where nothing is set."""
    return re.sub(r"\$\{(\w+):-([^}]*)\}", r"\2", value)


def shipped(folder: str) -> Iterator[str]:
    for path in (REPOSITORY / folder).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_compose_is_one_that_playhead_understands(name: str) -> None:
    try:
        app.parse_args(OURS[name]["command"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(str(error))


def test_every_setting_that_is_named_exists() -> None:
    files = ["docker-compose.yml", "Dockerfile", ".env.example", ".ci/run", ".ci/smoke.py", "Makefile"]
    text = "".join((REPOSITORY / name).read_text() for name in files)
    text += "".join(path.read_text() for path in WORKFLOWS)
    named = {name.removeprefix(PREFIX).lower() for name in re.findall(rf"\b{PREFIX}[A-Z_]+\b", text)}
    known = Settings.model_fields.keys() | {"test_redis_url", "test_database_url"}
    assert named - known == set()
    assert {"redis_url", "database_url"} <= named


def test_what_compose_lets_one_set_is_documented_with_its_default() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    documented = set(re.findall(r"^(\w+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    assert used == documented
    assert text.count("${") == len(re.findall(r"\$\{\w+:-", text)), "every variable has a default"


def test_compose_agrees_with_itself_on_passwords() -> None:
    redis, postgres = SERVICES["redis"], SERVICES["postgres"]
    flags = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert flags["--requirepass"] == redis["environment"]["REDISCLI_AUTH"]
    settings = OURS["playhead"]["environment"]
    given = postgres["environment"]
    assert settings["PLAYHEAD_REDIS_URL"] == f"redis://:{flags['--requirepass']}@redis:6379/0"
    assert settings["PLAYHEAD_DATABASE_URL"] == (
        f"postgresql://{given['POSTGRES_USER']}:{given['POSTGRES_PASSWORD']}@postgres:5432/{given['POSTGRES_DB']}"
    )


def test_every_container_gets_the_time_that_playhead_takes_to_stop() -> None:
    for name in ("playhead", "flusher"):
        takes = float(OURS[name]["environment"]["PLAYHEAD_SHUTDOWN_SECONDS"])
        assert int(OURS[name]["stop_grace_period"].removesuffix("s")) >= takes + 10


def test_one_service_builds_the_image_and_all_others_wait_for_it() -> None:
    """Two that build one image collide in Compose; one that doesn't wait could find none."""

    def waits_for(name: str) -> set[str]:
        direct = set(SERVICES[name].get("depends_on", ()))
        return direct.union(*map(waits_for, direct)) if direct else direct

    (builder,) = (name for name, service in OURS.items() if "build" in service)
    assert all(builder in waits_for(name) for name in OURS if name != builder)


def test_the_ports_agree() -> None:
    port = str(Settings.model_fields["port"].default)
    (published,) = OURS["playhead"]["ports"]
    assert filled(published) == f"127.0.0.1:{port}:{port}"
    assert instructions("EXPOSE", stage("playhead")) == [port]
    for name in ("simulate", "locust"):
        assert f"http://playhead:{port}" in SERVICES[name]["command"]
    assert SERVICES["locust"]["ports"][0].split(":")[-1] in instructions("EXPOSE", stage("load"))


async def test_redis_of_compose_promises_what_the_embedded_one_does(tmp_path: Path) -> None:
    """Its very command line, on a server that is here; the port aside."""
    flags = [filled(word) for word in SERVICES["redis"]["command"][1:]]
    given = {name.removeprefix("--"): value for name, value in zip(flags[::2], flags[1::2], strict=True)}
    socket_path = tmp_path / "s"
    places = ["--port", "0", "--unixsocket", str(socket_path), "--dir", str(tmp_path)]
    server = await asyncio.create_subprocess_exec(
        binaries.valkey_server(), *flags, *places, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not socket_path.exists():
                await asyncio.sleep(0.01)
        async with Redis(unix_socket_path=str(socket_path), password=given["requirepass"]) as redis:
            assert await broken_promises(redis) == []
            embedded = valkey.CONFIG.keys() - {"port", "unixsocketperm", "daemonize"}
            assert await redis.config_get(*embedded) == {name: valkey.CONFIG[name] for name in embedded}
    finally:
        server.terminate()
        await server.wait()


def test_the_dockerfile_copies_only_what_is_there_and_let_through() -> None:
    allowed = re.findall(r"^!(.+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE)
    copied = [words.split() for words in instructions("COPY") if not words.startswith("--from")]
    sources = {source for words in copied for source in words[:-1]}
    assert sources == set(allowed)
    assert all((REPOSITORY / source).exists() for source in sources)


@pytest.mark.parametrize("name", ["playhead", "load"])
def test_the_image_runs_as_somebody_who_is_not_root(name: str) -> None:
    assert int(instructions("USER", stage(name))[-1]) > 0


def test_the_image_serves_unless_told_otherwise() -> None:
    assert DOCKERFILE.endswith(stage("playhead")[-100:]), "the last stage is what `docker build .` makes"
    assert instructions("ENTRYPOINT", stage("playhead")) == ['["playhead"]']
    assert instructions("CMD", stage("playhead")) == ['["serve"]']
    assert set(PROJECT["scripts"]) == {"playhead"}
    assert f"{PREFIX}HOST=0.0.0.0" in instructions("ENV", stage("playhead"))[-1]


@pytest.mark.usefixtures("redis")
async def test_the_health_check_tells_a_ready_playhead_from_none(redis_url: str) -> None:
    (words,) = instructions("HEALTHCHECK", stage("playhead"))
    python, *rest = json.loads(words.partition("CMD ")[2])
    assert python == "python"

    async def status(port: int) -> int:
        check = await asyncio.create_subprocess_exec(
            sys.executable,
            *rest,
            env=os.environ | {"PLAYHEAD_PORT": str(port)},
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await check.wait()

    async with serving(Settings(shutdown_seconds=1), redis_url) as api:
        assert await status(api.port) == 0
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        assert await status(unheard.getsockname()[1]) == 1


def test_the_lock_pins_with_hashes_what_the_project_names() -> None:
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
    named = PROJECT["dependencies"] + list(chain(*PROJECT["optional-dependencies"].values()))
    assert {re.split(r"[^\w-]", name)[0] for name in named} - pins.keys() == set()
    blocks = re.split(r"^(?=\S)", LOCK, flags=re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks if block.strip())


def test_the_lock_and_the_project_name_no_host() -> None:
    assert not re.search(r"://|^-", LOCK, re.MULTILINE)
    assert " @ " not in LOCK + str(PROJECT)


def test_uv_is_found_in_the_lock_as_the_makefile_and_the_image_look_for_it() -> None:
    command = "sed -n '/^uv==/,/# via/p' requirements.lock"
    assert command in DOCKERFILE
    assert command in (REPOSITORY / "Makefile").read_text()
    found = subprocess.run(
        command, shell=True, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert re.findall(r"^\S+==", found, re.MULTILINE) == ["uv=="]
    assert found.count("--hash=") > 5


@pytest.mark.parametrize("path", [*WORKFLOWS, REPOSITORY / ".ci/run"], ids=lambda path: path.name)
def test_every_target_that_is_made_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"^[\s-]*(?:run: )?make ([a-z]+)$", path.read_text(), re.MULTILINE))
    assert made
    assert made <= targets


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    jobs = yaml.safe_load(path.read_text())["jobs"]
    uses = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", used) for used in uses)


def test_the_wheel_holds_every_file_and_works_on_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        archive.extractall(unpacked)
    assert held == {name for folder in PACKAGES for name in shipped(folder)}
    assert {"lua/playhead.lua", "service/db/migrations/script.py.mako"} <= held
    assert any(name.startswith("service/db/queries/") and name.endswith(".sql") for name in held)
    assert "service/web/" in " ".join(held)
    _expect_to_work(unpacked)


def _expect_to_work(folder: Path) -> None:
    """From its own files: the repository is on the path too, but later."""
    code = """if True:
        import lua, service, workers.supervisor
        from service.api.app import create_app
        from service.counters import scripts
        from service.db import migrate, queries, revision
        from service.settings import Settings
        assert scripts.whole_library()[1] and revision.head() and migrate.upgrade
        create_app(Settings(), "redis://127.0.0.1:1/0", "postgresql://127.0.0.1:1/none")
        print(*{module.__file__.rsplit("/", 2)[0] for module in (lua, service, workers)})"""
    command = [sys.executable, "-c", code]
    variables = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder.parent, env=variables, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == (str(folder), "")
