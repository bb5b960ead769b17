"""What an HTTP process makes sure of before it serves."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_what_only_graphql_needs_is_loaded_with_its_first_request() -> None:
    """Who starts or asks for help does not wait for it."""
    code = """if True:
        import sys, service.cli.main, workers.supervisor
        print("graphql" in sys.modules)
        import service.api.app
        print("strawberry" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("wanted", "gets", "is_said"), [(900, 900, False), (50, 100, False), (5000, 2000, True)]
)
def test_as_many_files_may_be_open_as_connections_need(wanted: int, gets: int, is_said: bool) -> None:
    """Up to what the system lets a process have; where that is less, it is said."""
    code = f"""if True:
        from resource import RLIMIT_NOFILE, getrlimit, setrlimit
        from workers.serving import allow_files
        setrlimit(RLIMIT_NOFILE, (100, 2000))
        allow_files({wanted})
        print(getrlimit(RLIMIT_NOFILE)[0])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(gets)
    assert ("few_files" in done.stdout + done.stderr) == is_said
