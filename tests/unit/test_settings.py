"""Defaults that depend on the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from service.settings import Settings, http_processes

if TYPE_CHECKING:
    import pytest


def test_a_second_http_process_needs_a_third_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAYHEAD_WORKERS", raising=False)
    assert [http_processes(processors) for processors in (1, 2, 3, 64)] == [1, 1, 2, 2]
    assert Settings().workers == http_processes(os.cpu_count() or 1)
