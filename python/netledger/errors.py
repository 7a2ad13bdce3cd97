"""The exceptions and warnings of netledger: one small family."""

from __future__ import annotations

__all__ = [
    "CountOverflowError",
    "DataDependentError",
    "LayerError",
    "NetledgerError",
    "SpaceError",
    "TargetError",
    "TraceError",
    "UnsupportedWarning",
]


class NetledgerError(Exception):
    """Everything netledger raises on purpose derives from this class."""


class LayerError(NetledgerError, ValueError):
    """A layer's shapes or attributes do not fit its rule.

    Attributes:
        layer: the layer's name, or ``""`` for a formula called on its own.
        op: the kind of the layer, as ``"conv2d"``.
        rule: the sentence of the rule that is broken, with the facts put in.
    """

    def __init__(self, message: str, layer: str = "", op: str = "", rule: str = "") -> None:
        super().__init__(message)
        self.layer = layer
        self.op = op
        self.rule = rule


class CountOverflowError(NetledgerError, OverflowError):
    """A count of one layer does not fit a 64-bit integer."""


class SpaceError(NetledgerError, ValueError):
    """A design space, or what is asked of one, that is not possible; the text says why."""


class TraceError(NetledgerError, RuntimeError):
    """A module could not be converted: its ``forward`` failed or cannot be followed."""


class DataDependentError(TraceError):
    """A module's control flow depends on the values of its input, which are not computed."""


class TargetError(NetledgerError, LookupError):
    """The command line names a model that does not exist."""


class UnsupportedWarning(UserWarning):
    """Operations that netledger has no rule for are in the ledger as opaque rows."""
