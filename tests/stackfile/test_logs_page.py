"""docs/logs.md has every driver with every option that `check` lets through, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from bluegreen.stackfile.log_keys import DRIVERS

PAGE = Path(__file__).parents[2] / "docs" / "logs.md"


def test_the_page_has_all_options_of_all_drivers() -> None:
    table = PAGE.read_text("utf-8").partition("| driver | options |\n")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", row) for row in table.splitlines()[1:]]
    assert {driver: set(options) for driver, *options in rows} == {
        driver: set(known.options) for driver, known in DRIVERS.items()
    }
