"""``autoformer``: what AutoFormer's ``get_complexity`` counts, for `netledger.spaces.autoformer`.

The authors count one image of 14 x 14 patches, in multiply-accumulates with some liberties, which
are kept: blocks of 198 tokens, though the networks have 197; a classifier that reads every token;
one operation per element of a layer norm, and none for the last one; half an operation per
position; and for relative positions a count that does not depend on their number of channels.

The layers are recognized by their ops and shapes, so that the rule is of these networks only:
other layers are refused.

Source: microsoft/Cream, AutoFormer/model/supernet_transformer.py and AutoFormer/model/module
(the methods ``get_complexity``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

#: Patches and the class token.
TOKENS = 14 * 14 + 1
#: Relative positions are clipped at this distance.
DISTANCE = 14


def _refused(layer: LayerView) -> Any:
    raise SpaceError(
        f"convention 'autoformer' has no rule for {layer.op} of {layer.inputs}: it counts the "
        "networks of netledger.spaces.autoformer"
    )


def _tokens(layer: LayerView) -> Any:
    """The tokens of a block as the authors count them: the class token twice."""
    return layer.inputs[0][-2] + 1


def _patches(layer: LayerView) -> Any:
    """Multiply-accumulates of the patch embedding, and one per channel for its bias."""
    return layer.macs + layer.attributes["out_channels"]


def _positions(layer: LayerView) -> Any:
    """Half of the elements of the positions, which are as many as those with the class token."""
    _, tokens, width = layer.outputs[0]
    return tokens * width // 2


def _norm(layer: LayerView) -> Any:
    return _tokens(layer) * layer.inputs[0][-1]


def _last_norm(layer: LayerView) -> Any:
    """The class token is taken after the last norm, which the authors leave out."""
    return -_norm(layer)


def _linear(layer: LayerView) -> Any:
    tokens = TOKENS if len(layer.inputs[0]) == 2 else _tokens(layer)
    return tokens * layer.inputs[0][-1] * layer.attributes["out_features"]


def _matmul(layer: LayerView) -> Any:
    left, right = layer.inputs
    if len(left) == 4:
        # Scores, or values of all heads: both are tokens times tokens times channels.
        _, heads, tokens, _ = layer.outputs[0]
        channels = left[3] if right[3] == tokens else right[3]
        return (tokens + 1) * (tokens + 1) * heads * channels
    if len(left) != 3:
        return _refused(layer)
    # Relative positions: the first index of both is that of the token.
    tokens = left[0] + 1
    clipped = DISTANCE * tokens * tokens
    if right[2] == left[0]:  # of the keys: a score for each pair
        return clipped + tokens * tokens // 2
    return clipped + tokens * left[1] * right[2] // 2


#: Ops of these networks that the authors leave out.
FREE = (
    "flatten",
    "transpose",
    "add",
    "reshape",
    "permute",
    "unbind",
    "mul",
    "embedding",
    "softmax",
    "gelu",
)

COMPLEXITY = Rules(
    {
        "conv2d": Term("multiply-accumulates, and one per output channel for the bias", _patches),
        "concat": Term("half an operation per output element, for the positions", _positions),
        "layer_norm": Term("1 per element, with a token more than there are", _norm),
        "linear": Term(
            "multiply-accumulates with a token more than there are; the classifier's, with all "
            "tokens",
            _linear,
        ),
        "matmul": Term(
            "multiply-accumulates of attention, with a token more than there are; for relative "
            "positions 14 per pair of tokens, and half an operation per output",
            _matmul,
        ),
        "select": Term("the elements of the last norm less, which is left out", _last_norm),
        FREE: NOTHING,
    },
    otherwise=Term("nothing it knows", _refused),
)

CONVENTION = Convention("autoformer", {"flops": COMPLEXITY, "params": "params"}, "complexity")
