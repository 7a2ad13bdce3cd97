"""Stop with advice when this Python lacks the headers that compiling the extension needs."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
    sys.exit(
        f"{sys.executable} has no Python.h: install the headers of Python "
        f"{sys.version_info.major}.{sys.version_info.minor} (Debian: apt-get install python3-dev), "
        "or choose another Python with PYTHON="
    )
