"""docs/operations.md is what the formulas say."""

from __future__ import annotations

import importlib.util
import re

from docs.code_blocks import ROOT
from netledger.formulas import OPERATIONS

SCRIPT = ROOT / "scripts" / "ops_table.py"


def written_by_script() -> str:
    spec = importlib.util.spec_from_file_location("ops_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.page())


def test_it_is_current() -> None:
    current = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert current == written_by_script(), "run `python scripts/ops_table.py`"


def test_it_has_every_operation() -> None:
    listed = re.findall(r"^(?:\| )?`(\w+)\(", written_by_script(), re.MULTILINE)
    assert sorted(listed) == sorted(OPERATIONS)
