"""Settings of all tests."""

from __future__ import annotations

import os

try:
    from hypothesis import settings
except ImportError:  # test_minimal.py needs no more than numpy and pytest
    pass
else:
    # The same examples in every run, so that a change is judged by what it changes. The others are
    # looked for with NETLEDGER_NEW_EXAMPLES=1.
    settings.register_profile("same", derandomize=True)
    settings.register_profile("new")
    settings.load_profile("new" if os.environ.get("NETLEDGER_NEW_EXAMPLES") == "1" else "same")
