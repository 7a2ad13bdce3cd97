"""What each ATen operation is in the rule book: its op, its tensors, its attributes.

Under ``torch.inference_mode()`` operations arrive whole; a handler gets the tracer and the
operation's own arguments and returns what the operation returns. No formula lives here. The files
are named as the families of the rule book.
"""

from __future__ import annotations

from netledger.torch.aten import (
    activation,
    attention,
    convolution,
    elementwise,
    embedding,
    linear,
    normalization,
    pooling,
    recurrent,
    reduction,
    resample,
    shape,
    values,
)
from netledger.torch.aten.registry import HANDLERS, handler_of

__all__ = [
    "HANDLERS",
    "activation",
    "attention",
    "convolution",
    "elementwise",
    "embedding",
    "handler_of",
    "linear",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "resample",
    "shape",
    "values",
]
