"""The README says what is: every setting with its default and unit, and every command."""

from __future__ import annotations

import re
from pathlib import Path

from service.cli.main import app
from service.settings import PREFIX, Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
UNITS = ("seconds", "ms", "days")


def expected_row(name: str) -> str:
    field = Settings.model_fields[name]
    default = "" if field.default_factory or field.default is None else f"`{field.default}`"
    unit = next((unit for unit in UNITS if name.endswith(f"_{unit}")), "events" if "_events_" in name else "")
    return f"| `{PREFIX}{name.upper()}` | {default} | {unit} | {field.description} |"


def test_every_setting_is_listed_with_default_and_unit() -> None:
    listed = [
        line for line in README.splitlines() if line.startswith(f"| `{PREFIX}") and line.count("|") == 5
    ]
    assert listed == [expected_row(name) for name in Settings.model_fields]


def test_every_command_is_listed() -> None:
    told = set(re.findall(r"^\| `playhead (\w+)", README, re.MULTILINE))
    known = {name for name in app if not name.startswith("-")}
    assert told == known
