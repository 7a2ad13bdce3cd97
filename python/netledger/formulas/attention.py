"""Scaled dot-product attention, alone and with the projections of multi-head attention."""

from __future__ import annotations

from netledger.formulas._broadcast import broadcast
from netledger.formulas._contraction import Arithmetic, affine_map, dot_products
from netledger.formulas._layer import Layer, Shape, Weight, elements, operation, require

__all__ = ["multi_head_attention", "scaled_dot_product_attention"]


def _attention(
    compared: int,
    gathering: int,
    keys: int,
    key_features: int,
    value_features: int,
    mask: bool,
) -> Arithmetic:
    """softmax(q k' / sqrt(key_features) + mask) v.

    `compared` counts the queries of all heads that are compared with keys, `gathering` those that
    gather values: more where only the values have a further batch dimension.
    """
    scores = compared * keys
    pointwise = scores * (2 if mask else 1)  # scaled, masked
    softmax = compared * (3 * keys - 1)  # exponentials, sum, divisions
    return (
        dot_products(scores, key_features)
        + Arithmetic(flops=pointwise + softmax)
        + dot_products(gathering * value_features, keys)
    )


def _batch(shape: Shape, name: str, query: Shape, enable_gqa: bool) -> Shape:
    """All sizes but the last two; grouped heads count as many as those of the query."""
    if not enable_gqa:
        return shape[:-2]
    heads, query_heads = shape[-3], query[-3]
    require(heads > 0, f"the heads of {name} must be positive, got {heads}")
    require(
        query_heads % heads == 0,
        f"query has {query_heads} heads, which the {heads} heads of {name} do not divide",
    )
    return (*shape[:-3], query_heads)


def _require_mask(mask: Shape, scores: Shape) -> None:
    aligned = scores[len(scores) - len(mask) :]
    require(
        len(mask) <= len(scores)
        and all(size in (1, score) for size, score in zip(mask, aligned, strict=True)),
        f"attn_mask {mask} does not broadcast to the scores {scores}",
    )


@operation(contraction=True)
def scaled_dot_product_attention(
    query: Shape,
    key: Shape,
    value: Shape,
    attn_mask: Shape | None = None,
    /,
    is_causal: bool = False,
    enable_gqa: bool = False,
) -> Layer:
    """Attention: (*, L, E), (*, S, E), (*, S, Ev) -> (*, L, Ev), and a mask that fits (*, L, S).

    The leading dimensions broadcast. With `enable_gqa` dimension -3 holds heads, and those of key
    and value divide those of the query. With B the product of the leading sizes:

    * macs = B * L * S * (E + Ev)
    * flops = B * L * S * (2 * E - 1) for the scores, B * L * S to scale them, B * L * S more with
      a mask, B * L * (3 * S - 1) for the softmax, B * L * Ev * (2 * S - 1) for the output

    A causal mask changes no count: every score is computed. Memory access is that of inputs and
    output; the scores are left out.

    Source: torch.nn.functional.scaled_dot_product_attention; Vaswani et al., Attention Is All You
    Need, 2017, section 3.2.1.
    """
    rank = 3 if enable_gqa else 2
    require(
        min(len(query), len(key), len(value)) >= rank,
        f"query, key and value must have at least {rank} dimensions, "
        f"got {len(query)}, {len(key)} and {len(value)}",
    )
    require(query[-1] == key[-1], f"query has {query[-1]} features but key has {key[-1]}")
    require(query[-1] > 0, f"query must have a positive number of features, got {query[-1]}")
    require(key[-2] == value[-2], f"key has length {key[-2]} but value has {value[-2]}")
    require(key[-2] > 0, f"key must have a positive length, got {key[-2]}")

    key_batch = _batch(key, "key", query, enable_gqa)
    value_batch = _batch(value, "value", query, enable_gqa)
    score_batch = broadcast(query[:-2], key_batch)
    output_batch = broadcast(score_batch, value_batch)
    if attn_mask is not None:
        _require_mask(attn_mask, (*score_batch, query[-2], key[-2]))
        require(
            not is_causal,
            "attn_mask and is_causal exclude each other: put the causal part into the mask",
        )
    arithmetic = _attention(
        compared=elements(score_batch) * query[-2],
        gathering=elements(output_batch) * query[-2],
        keys=key[-2],
        key_features=query[-1],
        value_features=value[-1],
        mask=attn_mask is not None,
    )
    return Layer(
        shapes=((*output_batch, query[-2], value[-1]),),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )


def _features(shape: Shape, name: str, given: int | None, attribute: str, embed_dim: int) -> int:
    """The features of key or value, which are those of the query unless an attribute says so."""
    features = embed_dim if given is None else given
    require(features > 0, f"{attribute} must be positive, got {features}")
    require(
        shape[-1] == features,
        f"{name} has {shape[-1]} features but {attribute} is {features}",
    )
    return features


def _projection_weights(
    embed_dim: int, kdim: int, vdim: int, bias: bool, add_bias_kv: bool
) -> tuple[Weight, ...]:
    """The weights of a MultiheadAttention, in torch's order."""
    if kdim == vdim == embed_dim:
        weights = [Weight((3 * embed_dim, embed_dim))]
    else:
        weights = [Weight((embed_dim, features)) for features in (embed_dim, kdim, vdim)]
    if bias:
        weights.append(Weight((3 * embed_dim,)))
    if add_bias_kv:
        weights += [Weight((1, 1, embed_dim)), Weight((1, 1, embed_dim))]
    weights.append(Weight((embed_dim, embed_dim)))
    if bias:
        weights.append(Weight((embed_dim,)))
    return tuple(weights)


@operation(contraction=True)
def multi_head_attention(
    query: Shape,
    key: Shape,
    value: Shape,
    /,
    num_heads: int,
    bias: bool = True,
    kdim: int | None = None,
    vdim: int | None = None,
    add_bias_kv: bool = False,
    add_zero_attn: bool = False,
    batch_first: bool = False,
    need_weights: bool = False,
) -> Layer:
    """Multi-head attention: (N, L, E), (N, S, kdim), (N, S, vdim) -> (N, L, E).

    Also (L, N, E) without `batch_first`, and unbatched (L, E). With `need_weights` a second output
    holds the attention weights averaged over the heads, (N, L, S'). S' is S, one more with
    `add_bias_kv`, one more with `add_zero_attn`; `kdim` and `vdim` are E unless given.

    * params = E * (2 * E + kdim + vdim), 4 * E more with bias, 2 * E more with `add_bias_kv`;
      in_proj_weight, or q_proj_weight, k_proj_weight and v_proj_weight where kdim or vdim is not
      E; in_proj_bias; bias_k, bias_v; out_proj.weight, out_proj.bias
    * macs = N * E * (2 * L * E + S * (kdim + vdim)) + 2 * N * L * S' * E
    * flops: those of four `linear` layers and of `scaled_dot_product_attention` over N * num_heads
      with E / num_heads features, and N * L * S' * num_heads to average the weights

    Memory access is that of inputs, weights and outputs; intermediate results are left out.

    Source: torch.nn.MultiheadAttention; Vaswani et al., Attention Is All You Need, 2017,
    section 3.2.2.
    """
    rank = len(query)
    require(
        rank in (2, 3),
        f"query must have 3 or 2 dimensions, (N, L, E), (L, N, E) or (L, E), got {rank}",
    )
    require(
        len(key) == len(value) == rank,
        f"key and value must have as many dimensions as query, {rank}, "
        f"got {len(key)} and {len(value)}",
    )
    embed_dim = query[-1]
    require(embed_dim > 0, f"embed_dim must be positive, got {embed_dim}")
    require(num_heads > 0, f"num_heads must be positive, got {num_heads}")
    require(
        embed_dim % num_heads == 0,
        f"embed_dim {embed_dim} is not divisible by num_heads {num_heads}",
    )
    kdim = _features(key, "key", kdim, "kdim", embed_dim)
    vdim = _features(value, "value", vdim, "vdim", embed_dim)

    sequence = 1 if rank == 3 and batch_first else 0
    batch: Shape = ()
    if rank == 3:
        sizes = (query[1 - sequence], key[1 - sequence], value[1 - sequence])
        require(
            sizes[0] == sizes[1] == sizes[2],
            "query, key and value must have the same batch size, "
            f"got {sizes[0]}, {sizes[1]} and {sizes[2]}",
        )
        batch = sizes[:1]
    length, key_length = query[sequence], key[sequence]
    require(
        key_length == value[sequence],
        f"key has length {key_length} but value has {value[sequence]}",
    )
    # Each of the two appends a position to the projected keys and values.
    keys = key_length + add_bias_kv + add_zero_attn
    require(keys > 0, f"key must have a positive length, got {keys}")

    queries, sources = elements(batch) * length, elements(batch) * key_length
    arithmetic = (
        affine_map(queries, embed_dim, embed_dim, bias)
        + affine_map(sources, kdim, embed_dim, bias)
        + affine_map(sources, vdim, embed_dim, bias)
        + _attention(
            compared=queries * num_heads,
            gathering=queries * num_heads,
            keys=keys,
            key_features=embed_dim // num_heads,
            value_features=embed_dim // num_heads,
            mask=False,
        )
        + affine_map(queries, embed_dim, embed_dim, bias)
    )
    shapes = [query]
    if need_weights:
        shapes.append((*batch, length, keys))
        # The mean over the heads: an addition less than heads, and a division.
        arithmetic += Arithmetic(flops=queries * keys * num_heads)
    return Layer(
        shapes=tuple(shapes),
        weights=_projection_weights(embed_dim, kdim, vdim, bias, add_bias_kv),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )
