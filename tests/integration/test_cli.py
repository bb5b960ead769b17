"""The command line: helps, migrates, replays, simulates, and says in one sentence what is wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import asyncpg
import orjson
import pytest

from service.db.revision import head
from service.embedded import DataFolder, EmbeddedPostgres
from service.embedded.deadline import holds_within
from tests.conftest import UNSYNCED
from tests.integration.serving import PLAYHEAD, Serving, ended, environment, free_port, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = {
    "serve": ["--flusher", "--no-flusher"],
    "flush": [],
    "migrate": ["--revision"],
    "inspect": ["user", "movie", "pair"],
    "inspect user": ["USER", "--json"],
    "inspect movie": ["SLUG", "--json"],
    "inspect pair": ["USER", "SLUG", "--json"],
    "keys": ["create", "list", "revoke"],
    "keys create": ["--name", "--scope", "--events-per-second", "--requests-per-second"],
    "keys list": [],
    "keys revoke": ["NAME"],
    "replay": [
        *(
            "FILE",
            "--url",
            "--key-file",
            "--format",
            "--order",
            "--seed",
            "--batch",
            "--connections",
            "--retries",
            "--json",
        ),
    ],
    "simulate": [
        *("--viewers", "--movies", "--events-per-second", "--seconds", "--time-scale", "--seed", "--url"),
        *("--key-file", "--batch", "--connections", "--stream", "--retries", "--json"),
    ],
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with ended(Serving(tmp_path_factory.mktemp("cli") / "data")) as one:
        one.start()
        yield one
        assert one.stop() == 0


def assert_failed(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Exit code 1 and one sentence on stderr, no traceback."""
    assert done.returncode == 1, done
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("playhead: ")
    for part in parts:
        assert part in sentence


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run("--help", variables=environment(tmp_path))
    assert done.returncode == 0
    for command in OPTIONS:
        assert command.split()[0] in done.stdout


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_names_its_options(tmp_path: Path, command: str) -> None:
    done = run(*command.split(), "--help", variables=environment(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: playhead {command}" in done.stdout
    for option in OPTIONS[command]:
        assert option in done.stdout


def test_the_version_is_told(tmp_path: Path) -> None:
    done = run("--version", variables=environment(tmp_path))
    assert (done.returncode, done.stdout) == (0, "0.1.0\n")


@pytest.mark.parametrize(
    "words",
    [
        ["serv"],
        ["serve", "--prot", "1"],
        ["inspect", "pear"],
        ["inspect", "pair", "ann"],
        ["replay"],
        ["replay", "file", "--order", "sideways"],
        ["replay", "file", "--batch", "0"],
        ["simulate", "--viewers", "few"],
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, variables=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_without_a_command_it_helps(tmp_path: Path) -> None:
    done = run(variables=environment(tmp_path))
    assert done.returncode == 0
    assert "Usage: playhead COMMAND" in done.stdout


async def test_migrate_goes_up_and_down(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "servers") as folder:
        postgres = EmbeddedPostgres(folder, UNSYNCED, is_synced=False).start()
        variables = environment(tmp_path / "data", database_url=postgres.url)
        steps = [
            ([], f"schema: nothing -> {head()}"),
            ([], f"schema: {head()} -> {head()}"),
            (["base"], f"schema: {head()} -> nothing"),
            (["head"], f"schema: nothing -> {head()}"),
            (["--revision", head()], f"schema: {head()} -> {head()}"),
        ]
        for words, said in steps:
            done = run("migrate", *words, variables=variables)
            assert (done.returncode, done.stdout.strip()) == (0, said), done
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT count(*) FROM events") == 0
        await connection.close()
        assert_failed(run("migrate", "9999", variables=variables), "9999")
        postgres.stop()
        assert_failed(run("migrate", variables=variables), "Postgres cannot be reached")


@pytest.mark.parametrize("command", ["flush", "migrate"])
def test_without_servers_it_is_told(tmp_path: Path, command: str) -> None:
    assert_failed(run(command, variables=environment(tmp_path / "data")), "Postgres cannot be reached")
    given = environment(tmp_path / "data", database_url="postgresql://x@127.0.0.1:1/x")
    assert_failed(run(command, variables=given), "Postgres cannot be reached")
    assert not (tmp_path / "data").exists()


async def test_a_flusher_without_schema_says_how_to_get_one(tmp_path: Path, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE DATABASE never_migrated")
    variables = environment(tmp_path, database_url=postgres_url.replace("/playhead?", "/never_migrated?"))
    if "never_migrated" not in variables["PLAYHEAD_DATABASE_URL"]:
        variables["PLAYHEAD_DATABASE_URL"] = f"{postgres_url.rsplit('/', 1)[0]}/never_migrated"
    assert_failed(run("flush", variables=variables), "schema is at nothing", "run `playhead migrate`")
    await connection.execute("DROP DATABASE never_migrated")
    await connection.close()


def test_a_replay_to_a_service_that_is_not_there_says_so(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text('{"user": "ann", "slug": "dune", "at": 4500, "id": "1"}\n')
    url = f"http://127.0.0.1:{free_port()}"
    words = ("replay", str(file), "--url", url, "--retries", "1")
    done = run(*words, variables=environment(tmp_path))
    assert done.returncode == 1
    assert f"no answer from {url}/v1/events" in done.stdout
    assert "Not complete: " in done.stdout
    assert "run it again" in done.stdout
    assert "Traceback" not in done.stderr
    summary = orjson.loads(run(*words, "--json", variables=environment(tmp_path)).stdout)
    assert (summary["read"], summary["undelivered"], summary["balances"]) == (1, 1, True)


def test_a_replay_of_a_file_that_is_not_there_says_so(serving: Serving, tmp_path: Path) -> None:
    done = run("replay", str(tmp_path / "nothing"), "--url", serving.url, variables=serving.variables)
    assert done.returncode == 1
    assert "nothing cannot be read: No such file or directory" in done.stdout


def test_a_replay_of_events_counts_them(serving: Serving, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    lines = [f'{{"user": "replayed", "slug": "m", "at": {n}, "id": "{n}"}}' for n in range(1000)]
    file.write_text("\n".join([*lines, "not JSON", lines[0]]))
    done = run(
        "replay", str(file), "--url", serving.url, "--batch", "64", "--json", variables=serving.variables
    )
    summary = orjson.loads(done.stdout)
    assert (summary["accepted"], summary["duplicates"], summary["rejected"]) == (1000, 1, 1)
    assert summary["rejected_by_reason"] == {"not_json": 1}
    assert done.returncode == 0


def test_a_replay_reads_standard_input(serving: Serving) -> None:
    line = '{"user": "piped", "slug": "m", "at": 10, "id": "1"}\n'
    done = run("replay", "-", "--url", serving.url, "--json", variables=serving.variables, input=line * 3)
    summary = orjson.loads(done.stdout)
    assert (summary["accepted"], summary["duplicates"]) == (1, 2)


@pytest.mark.parametrize("way", [["--seed", "5"], ["--seed", "6", "--stream", "--batch", "20"]])
def test_an_audience_is_simulated_and_the_books_balance(serving: Serving, way: list[str]) -> None:
    words = ["--seconds", "2", "--events-per-second", "300", "--viewers", "30", *way]
    before = shown(serving, "playhead_stream_messages_total")
    done = run("simulate", *words, "--url", serving.url, "--json", variables=serving.variables)
    assert done.returncode == 0, done.stderr
    summary = orjson.loads(done.stdout)
    assert summary["sent"] == summary["accepted"] + summary["duplicates"] > 300  # players repeat themselves
    assert summary["accepted"] > summary["duplicates"]
    assert (summary["balances"], summary["rejected"]) == (True, 0)
    assert (summary["undelivered"], summary["failure"]) == (0, None)
    messages = shown(serving, "playhead_stream_messages_total") - before
    assert messages == (summary["sent"] if "--stream" in way else 0)


def test_a_simulation_that_is_interrupted_closes_its_books(serving: Serving) -> None:
    with subprocess.Popen(
        [PLAYHEAD, "simulate", "--seconds", "0", "--url", serving.url],
        env=serving.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as simulating:
        before = accepted_by(serving)
        assert holds_within(30, lambda: accepted_by(serving) > before)
        simulating.send_signal(signal.SIGINT)
        said, _ = simulating.communicate(timeout=30)
    assert simulating.returncode == 0
    assert "The books balance" in said


def accepted_by(serving: Serving) -> float:
    return shown(serving, 'playhead_events_total{outcome="accepted"}')


def shown(serving: Serving, name: str) -> float:
    """Of the metrics; 0 for what is not there yet."""
    with urllib.request.urlopen(f"{serving.url}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_where_others_can_reach_it_it_starts_only_with_keys(tmp_path: Path) -> None:
    """Before anything else is started: not even the data folder is made."""
    data_dir = tmp_path / "data"
    variables = environment(data_dir, host="0.0.0.0", port=free_port())
    assert_failed(run("serve", variables=variables), "PLAYHEAD_HOST is 0.0.0.0", "playhead keys create")
    assert_failed(run("serve", variables={**variables, "PLAYHEAD_KEYS": "web"}), "PLAYHEAD_KEYS, line 1")
    assert not data_dir.exists()


def test_with_keys_it_serves_those_who_have_one(tmp_path: Path) -> None:
    """Made, used by `simulate`, and revoked on the command line; and the log holds none."""
    file, key_file = tmp_path / "keys", tmp_path / "key"
    one = Serving(tmp_path / "data", "0.0.0.0", keys_file=file, workers=1, snapshot_interval_seconds=0)
    words = ("simulate", "--seconds", "1", "--url", f"http://127.0.0.1:{one.port}")
    made = run("keys", "create", "--name", "web", "--scope", "ingest", variables=one.variables)
    assert made.returncode == 0
    token = made.stdout.strip()
    one.start()
    try:
        shown = run(*words, variables=one.variables | {"PLAYHEAD_API_KEY": token})
        assert shown.returncode == 0, shown
        without = run(*words, variables=one.variables)
        assert without.returncode == 1
        assert "401" in without.stdout
        assert "--key-file" in without.stdout
        assert "web" in run("keys", "list", variables=one.variables).stdout
        key_file.write_text(token + "\n")
        with_file = (*words, "--key-file", str(key_file))
        assert run(*with_file, variables=one.variables).returncode == 0
        assert run("keys", "revoke", "web", variables=one.variables).stdout == "revoked web\n"
        assert holds_within(10, lambda: run(*with_file, variables=one.variables).returncode == 1)
    finally:
        assert one.stop() == 0
    assert token not in one.text()


def test_a_key_that_is_stored_nowhere_is_printed_with_its_line(tmp_path: Path) -> None:
    done = run("keys", "create", "--name", "a", "--scope", "read", variables=environment(tmp_path))
    token, line = done.stdout.splitlines()
    listed = run("keys", "list", variables=environment(tmp_path, keys=line))
    assert (listed.returncode, listed.stdout.split()[:2]) == (0, ["a", "read"])
    assert token not in line
    assert_failed(
        run("keys", "revoke", "a", variables=environment(tmp_path, keys=line)), "PLAYHEAD_KEYS_FILE"
    )


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli.main", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0.1.0\n"
