"""Linear maps and products of tensors."""

from __future__ import annotations

from netledger.formulas._broadcast import broadcast
from netledger.formulas._contraction import affine_map, dot_products
from netledger.formulas._einsum import contract_operands
from netledger.formulas._layer import Layer, Shape, Weight, elements, operation, require

__all__ = ["bilinear", "einsum", "linear", "matmul"]


def _require_out_features(out_features: int) -> None:
    require(out_features >= 0, f"out_features must not be negative, got {out_features}")


@operation(contraction=True)
def linear(input: Shape, /, out_features: int, bias: bool = True) -> Layer:
    """Linear map of the last dimension: (*, I) -> (*, O), with O = out_features.

    With y the output:

    * params = O * I, and O more with bias
    * macs = |y| * I
    * flops = |y| * (2 * I - 1), and |y| more with bias: per output I products and one addition less

    Source: torch.nn.Linear (shapes, params); Molchanov et al., Pruning Convolutional Neural
    Networks for Resource Efficient Inference, 2017, appendix A.1 (operations).
    """
    require(len(input) >= 1, "the input must have at least 1 dimension, (*, in_features)")
    in_features = input[-1]
    require(in_features > 0, f"in_features must be positive, got {in_features}")
    _require_out_features(out_features)
    weights = [Weight((out_features, in_features))]
    if bias:
        weights.append(Weight((out_features,)))
    arithmetic = affine_map(elements(input[:-1]), in_features, out_features, bias)
    return Layer(
        shapes=((*input[:-1], out_features),),
        weights=tuple(weights),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )


@operation(contraction=True)
def bilinear(input1: Shape, input2: Shape, /, out_features: int, bias: bool = True) -> Layer:
    """Bilinear map of two last dimensions: (*, I1), (*, I2) -> (*, O), with O = out_features.

    Each output y_o = x1' W_o x2 is I2 dot products of length I1, then one of length I2:

    * params = O * I1 * I2, and O more with bias
    * macs = |y| * (I1 * I2 + I2)
    * flops = |y| * (I2 * (2 * I1 - 1) + 2 * I2 - 1), and |y| more with bias

    Source: torch.nn.Bilinear.
    """
    require(
        len(input1) == len(input2) and len(input1) >= 1,
        "both inputs must have as many dimensions, at least 1, "
        f"got {len(input1)} and {len(input2)}",
    )
    require(
        input1[:-1] == input2[:-1],
        f"the inputs must agree in every size but the last, got {input1} and {input2}",
    )
    in1_features, in2_features = input1[-1], input2[-1]
    require(in1_features > 0, f"in1_features must be positive, got {in1_features}")
    require(in2_features > 0, f"in2_features must be positive, got {in2_features}")
    _require_out_features(out_features)
    output = (*input1[:-1], out_features)
    weights = [Weight((out_features, in1_features, in2_features))]
    if bias:
        weights.append(Weight((out_features,)))
    outputs = elements(output)
    arithmetic = dot_products(outputs * in2_features, in1_features)
    arithmetic += dot_products(outputs, in2_features)
    return Layer(
        shapes=(output,),
        weights=tuple(weights),
        macs=arithmetic.macs,
        flops=arithmetic.flops + (outputs if bias else 0),
    )


@operation(contraction=True)
def matmul(input: Shape, other: Shape, /) -> Layer:
    """Matrix product: (*, M, K), (*, K, N) -> (*, M, N); also mm, bmm, mv and dot.

    The leading dimensions broadcast. A 1-d input is a row on the left, a column on the right, and
    its dimension of size 1 is left out of the output. With y the output:

    * macs = |y| * K
    * flops = |y| * (2 * K - 1)

    Source: torch.matmul.
    """
    require(
        len(input) >= 1 and len(other) >= 1,
        f"both inputs must have at least 1 dimension, got {len(input)} and {len(other)}",
    )
    length = input[-1]
    other_length = other[-2] if len(other) > 1 else other[-1]
    require(
        length == other_length,
        f"the first input is summed over {length} elements but the second over {other_length}",
    )
    require(length > 0, f"the summed size must be positive, got {length}")
    rows = input[-2:-1]
    columns = other[-1:] if len(other) > 1 else ()
    output = (*broadcast(input[:-2], other[:-2]), *rows, *columns)
    arithmetic = dot_products(elements(output), length)
    return Layer(shapes=(output,), macs=arithmetic.macs, flops=arithmetic.flops)


@operation(contraction=True)
def einsum(*operands: Shape, equation: str) -> Layer:
    """Einstein summation, as "bij,bjk->bik".

    Subscripts are letters. A repeated one within an operand takes the diagonal; '...' stands for
    the dimensions without a letter and broadcasts; without '->' the output has what '...' covers,
    then every letter that stands once, in alphabetical order, capitals first. A dimension of
    size 1 broadcasts against other sizes.

    The operands are contracted pairwise from the left, as torch does where it has no path
    optimiser. A subscript is summed as soon as neither the output nor a later operand has it:

    * one that both of the pair have: with y the outputs of the pair and K the product of the sizes
      that are summed, macs = |y| * K and flops = |y| * (2 * K - 1)
    * one that only one of them has: that one is summed beforehand, one addition less than elements
      for each sum
    * where none is summed: |y| multiplications, no macs

    Memory access is that of the operands and the output; intermediate results are left out.

    Source: torch.einsum.
    """
    return contract_operands(equation, operands)
