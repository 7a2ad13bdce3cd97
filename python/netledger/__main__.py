"""`python -m netledger` is the command `netledger`."""

from __future__ import annotations

import sys

from netledger.cli import main

if __name__ == "__main__":
    sys.exit(main())
