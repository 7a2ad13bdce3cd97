"""The version, as the installed package states it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("netledger")
except PackageNotFoundError:  # run from a source tree
    __version__ = "0+unknown"
