"""Where a machine has its jemalloc. That Valkey takes it: tests/integration/test_embedded.py."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest

from service.embedded.allocator import jemalloc

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only there a library can be put before others so"
)


@pytest.mark.parametrize("folder", [f"usr/lib/{platform.machine()}-linux-gnu", "usr/lib64", "usr/lib"])
def test_it_is_found_where_packages_put_it(tmp_path: Path, folder: str) -> None:
    assert jemalloc(tmp_path) is None
    library = tmp_path / folder / "libjemalloc.so.2"
    library.parent.mkdir(parents=True)
    library.touch()
    assert jemalloc(tmp_path) == library
