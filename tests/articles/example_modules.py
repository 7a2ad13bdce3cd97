"""Access to the files of examples/, which are scripts and not a package."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@functools.cache
def example(name: str) -> ModuleType:
    """The module examples/<name>.py."""
    specification = importlib.util.spec_from_file_location(
        f"netledger_example_{name}", EXAMPLES / f"{name}.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
