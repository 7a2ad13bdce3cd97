"""The arithmetic of contractions: all that multiplies and sums comes down to dot products."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arithmetic:
    """Multiply-accumulates and scalar operations of a part of a layer; parts add up."""

    macs: int = 0
    flops: int = 0

    def __add__(self, other: Arithmetic) -> Arithmetic:
        return Arithmetic(self.macs + other.macs, self.flops + other.flops)


def dot_products(outputs: int, length: int) -> Arithmetic:
    """Dot products of `length` terms, at least one: a product for each, and an addition less."""
    return Arithmetic(macs=outputs * length, flops=outputs * (2 * length - 1))


def affine_map(rows: int, in_features: int, out_features: int, bias: bool) -> Arithmetic:
    """`rows` vectors mapped: a dot product for each output, and an addition for its bias."""
    outputs = rows * out_features
    return Arithmetic(macs=outputs * in_features, flops=outputs * (2 * in_features - 1 + bias))
