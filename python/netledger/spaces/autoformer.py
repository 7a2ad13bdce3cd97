"""AutoFormer: vision transformers of elastic depth, width, heads and MLP ratios.

Chen, Peng, Fu and Ling, "AutoFormer: Searching Transformers for Visual Recognition", ICCV 2021.
One embedding width for the network; each block has its own number of heads (of 64 channels each)
and its own ratio of hidden to embedding width in the MLP. Attention has relative positions in two
dimensions, clipped at a distance of 14; their table of distances is a constant here, where the
authors' code calculates it in every block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import netledger as nl
from netledger.conventions.autoformer import COMPLEXITY

__all__ = ["AutoFormer", "autoformer"]

#: Embedding widths, depths, numbers of heads and MLP ratios of the published supernets.
SIZES: dict[str, tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[float]]] = {
    "tiny": ((192, 216, 240), (12, 13, 14), (3, 4), (3.5, 4)),
    "small": ((320, 384, 448), (12, 13, 14), (5, 6, 7), (3, 3.5, 4)),
    "base": ((528, 576, 624), (14, 15, 16), (9, 10), (3, 3.5, 4)),
}

HEAD_WIDTH = 64
PATCHES = 14 * 14
TOKENS = PATCHES + 1
#: Relative distances from -14 to 14, and one entry for the class token.
DISTANCES = 30


class AutoFormer(nl.Space):
    """The space that `autoformer` returns.

    Variables, in the order of the authors' candidate tuples: ``depth``; ``mlp_ratio_1``,
    ``mlp_ratio_2``, ... and ``num_heads_1``, ``num_heads_2``, ..., active up to the depth;
    ``embed_dim``.
    """

    def __init__(
        self,
        embed_dims: Sequence[int],
        depths: Sequence[int],
        num_heads: Sequence[int],
        mlp_ratios: Sequence[float],
        classes: int,
    ) -> None:
        super().__init__()
        depth = self.choice("depth", depths)
        used = [depth > i for i in range(max(depths))]
        ratios = [
            self.choice(f"mlp_ratio_{i + 1}", mlp_ratios, when=on) for i, on in enumerate(used)
        ]
        heads = [self.choice(f"num_heads_{i + 1}", num_heads, when=on) for i, on in enumerate(used)]
        width = self.choice("embed_dim", embed_dims)

        x = self.input(1, 3, 224, 224)
        x = nl.conv2d(x, width, 16, stride=16)
        x = nl.transpose(nl.flatten(x, 2), 1, 2)
        x = nl.concat(self.parameter(1, 1, width), x, dim=1)
        x = nl.add(x, self.parameter(1, TOKENS, width))
        distances = self.constant(TOKENS, TOKENS, dtype="int64")
        x = self.repeat(depth, lambda i, x: block(x, heads[i], ratios[i], distances), x)
        x = nl.layer_norm(x, width)
        self.output(nl.linear(nl.select(x, 1, 0), classes))

        self.add_metric("complexity", COMPLEXITY)

    def encode(self, config: Any) -> np.ndarray:
        """The code row of the authors' dict, or of a dict of values.

        Args:
            config: ``{"layer_num": depth, "embed_dim": [width] * depth, "mlp_ratio": ratios,
                "num_heads": heads}``, with one ratio and one number of heads for each block.
        """
        if isinstance(config, Mapping) and "layer_num" in config:
            depth, widths = config["layer_num"], set(np.ravel(config["embed_dim"]).tolist())
            genes = {name: config[name] for name in ("mlp_ratio", "num_heads")}
            if len(widths) != 1 or any(len(genes[name]) != depth for name in genes):
                raise nl.SpaceError(
                    f"an AutoFormer of {depth} layers has one embed_dim, {depth} mlp_ratio and "
                    f"{depth} num_heads, got {dict(config)}"
                )
            config = {"depth": depth, "embed_dim": widths.pop()}
            for name, values in genes.items():
                config |= {f"{name}_{i}": value for i, value in enumerate(values, 1)}
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> dict[str, Any]:
        """The authors' dict of a code row."""
        values = super().decode(row, inactive)
        depth = values["depth"]
        return {
            "layer_num": depth,
            "embed_dim": [values["embed_dim"]] * depth,
            "mlp_ratio": [values[f"mlp_ratio_{i + 1}"] for i in range(depth)],
            "num_heads": [values[f"num_heads_{i + 1}"] for i in range(depth)],
        }


def autoformer(
    size: str = "tiny", mlp_ratios: Sequence[float] | None = None, classes: int = 1000
) -> AutoFormer:
    """The AutoFormer supernets.

    Args:
        size: ``"tiny"`` (1,056,964,608 networks), ``"small"`` or ``"base"``.
        mlp_ratios: other MLP ratios than those of the authors' supernet files. The published
            AutoFormer-T has ratios of 3, which its file does not: use ``(3, 3.5, 4)``.
        classes: outputs of the classifier.

    The metric ``complexity`` is what the authors' ``get_complexity(196)`` returns, for blocks of
    198 tokens; ``macs`` counts the network as it runs, with 197.
    """
    if size not in SIZES:
        raise nl.SpaceError(f"AutoFormer has the sizes {', '.join(SIZES)}; got {size!r}")
    embed_dims, depths, num_heads, published = SIZES[size]
    return AutoFormer(embed_dims, depths, num_heads, mlp_ratios or published, classes)


def block(x: nl.Tensor, heads: Any, mlp_ratio: Any, distances: nl.Tensor) -> nl.Tensor:
    """A transformer block, normalized before attention and before the MLP."""
    width = x.shape[2]
    x = nl.add(x, attention(nl.layer_norm(x, width), heads, distances))
    y = nl.gelu(nl.linear(nl.layer_norm(x, width), nl.floor(width * mlp_ratio)))
    return nl.add(x, nl.linear(y, width))


def attention(x: nl.Tensor, heads: Any, distances: nl.Tensor) -> nl.Tensor:
    """Self-attention with relative positions on the keys and on the values."""
    qkv = nl.linear(x, 3 * HEAD_WIDTH * heads)
    qkv = nl.permute(nl.reshape(qkv, (1, TOKENS, 3, heads, HEAD_WIDTH)), (2, 0, 3, 1, 4))
    query, key, value = nl.unbind(qkv, 0)

    def by_position(y: nl.Tensor, table: nl.Tensor) -> nl.Tensor:
        """Each token's row of all heads times the matrix of that token."""
        y = nl.reshape(nl.permute(y, (2, 0, 1, 3)), (TOKENS, heads, -1))
        y = nl.transpose(nl.matmul(y, table), 0, 1)
        return nl.reshape(y, (1, heads, TOKENS, -1))

    scores = nl.mul(nl.matmul(query, nl.transpose(key, 2, 3)))
    table = nl.transpose(relative_positions(distances), 1, 2)
    scores = nl.add(scores, nl.mul(by_position(query, table)))
    weights = nl.softmax(scores, dim=-1)
    y = nl.matmul(weights, value)
    y = nl.add(y, by_position(weights, relative_positions(distances)))
    y = nl.reshape(nl.transpose(y, 1, 2), (1, TOKENS, HEAD_WIDTH * heads))
    return nl.linear(y, x.shape[2])


def relative_positions(distances: nl.Tensor) -> nl.Tensor:
    """A vector for each pair of tokens: one for their rows plus one for their columns."""
    rows = nl.embedding(distances, DISTANCES, HEAD_WIDTH)
    columns = nl.embedding(distances, DISTANCES, HEAD_WIDTH)
    return nl.add(rows, columns)
