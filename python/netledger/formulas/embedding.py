"""Tables of vectors, read by index."""

from __future__ import annotations

from typing import Literal

from netledger.formulas._layer import Layer, Shape, Weight, elements, operation, refuse, require

__all__ = ["embedding", "embedding_bag"]

Mode = Literal["sum", "mean", "max"]

MAXIMUM_RANK = 16


def _table(num_embeddings: int, embedding_dim: int) -> Weight:
    require(num_embeddings >= 0, f"num_embeddings must not be negative, got {num_embeddings}")
    require(embedding_dim >= 0, f"embedding_dim must not be negative, got {embedding_dim}")
    return Weight((num_embeddings, embedding_dim))


@operation()
def embedding(indices: Shape, /, num_embeddings: int, embedding_dim: int) -> Layer:
    """A vector for each index: (*) -> (*, embedding_dim).

    * params = num_embeddings * embedding_dim
    * no macs and no flops: rows are copied
    * memory access = the indices, the rows that are read, and the output: of the table only what
      is read

    Source: torch.nn.Embedding.
    """
    require(len(indices) < MAXIMUM_RANK, f"a tensor has at most {MAXIMUM_RANK} dimensions")
    table = _table(num_embeddings, embedding_dim)
    output = (*indices, embedding_dim)
    return Layer(shapes=(output,), weights=(table,), weight_reads=elements(output))


def _bags(indices: Shape, offsets: Shape | None, include_last_offset: bool) -> int:
    """The number of bags: the rows of 2-d indices, the offsets of 1-d ones."""
    rank = len(indices)
    require(
        rank in (1, 2),
        f"the indices must have 2 dimensions, (N, L), or 1 with offsets, got {rank}",
    )
    if rank == 2:
        require(offsets is None, "each row of 2-d indices is a bag: offsets must be left out")
        require(indices[1] > 0, f"a bag must hold at least 1 index, got {indices[1]}")
        return indices[0]
    if offsets is None:
        refuse("1-d indices need offsets, the second input")
    require(len(offsets) == 1, f"offsets must have 1 dimension, got {len(offsets)}")
    bags = offsets[0]
    if include_last_offset:
        require(bags > 0, f"include_last_offset needs at least 1 offset, got {bags}")
        bags -= 1
    # Where the bags begin is data: none is taken to be empty, and all indices to be in a bag.
    require(
        bags <= indices[0],
        f"{bags} bags need at least 1 index each, got {indices[0]} indices",
    )
    require(bags > 0 or indices[0] == 0, f"{indices[0]} indices are in no bag")
    return bags


@operation()
def embedding_bag(
    indices: Shape,
    offsets: Shape | None = None,
    /,
    *,
    num_embeddings: int,
    embedding_dim: int,
    mode: Mode = "mean",
    include_last_offset: bool = False,
) -> Layer:
    """The sum, mean or maximum of each bag of vectors: (N, L) -> (N, embedding_dim).

    Also 1-d indices in B bags, with the offsets (B,) at which the bags begin, or (B + 1,) with
    `include_last_offset`. None of the bags is taken to be empty. With n the number of indices and
    y the output:

    * params = num_embeddings * embedding_dim
    * flops = n * embedding_dim - |y| for a sum or a maximum, |y| more for a mean
    * memory access = the indices and offsets, the n rows that are read, and the output

    Source: torch.nn.EmbeddingBag.
    """
    bags = _bags(indices, offsets, include_last_offset)
    table = _table(num_embeddings, embedding_dim)
    read = elements(indices) * embedding_dim
    return Layer(
        shapes=((bags, embedding_dim),),
        weights=(table,),
        flops=read if mode == "mean" else read - bags * embedding_dim,
        weight_reads=read,
    )
