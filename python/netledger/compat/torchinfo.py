"""torchinfo 1.8.0: the table of a model's modules, its parameters and mult-adds.

>>> from netledger.compat import torchinfo
>>> statistics = torchinfo.summary(model, input_size=(1, 3, 224, 224))

The text and the figures are torchinfo's, with its habits: mult-adds are parameters times the sizes
that torchinfo takes for positions (see `netledger.conventions.torchinfo`); a tensor that two
modules hold is counted for both; the bytes of outputs are those of modules with parameters only.

What is different: the model is not run, not moved to another device, and keeps its mode; it is
traced in evaluation mode, in which most models have the shapes of training mode. Every call counts
anew, so that `cache_forward_pass` has no meaning. The names in an error are those of this package.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from netledger.compat._torchinfo_layers import LayerInfo, called, declared
from netledger.compat._torchinfo_table import COLUMNS, Formatting, ModelStatistics
from netledger.errors import NetledgerError
from netledger.torch._inputs import Input
from netledger.torch.recording import record

__all__ = ["LayerInfo", "ModelStatistics", "summary"]

_NEED_INPUT = {"input_size", "output_size", "mult_adds"}
_ROW_SETTINGS = {"depth", "var_names", "ascii_only", "hide_recursive_layers"}


def summary(
    model: nn.Module,
    input_size: Sequence[Any] | None = None,
    input_data: Any = None,
    batch_dim: int | None = None,
    cache_forward_pass: bool | None = None,
    col_names: Iterable[str] | None = None,
    col_width: int = 25,
    depth: int = 3,
    device: torch.device | str | None = None,
    dtypes: list[torch.dtype] | None = None,
    mode: str | None = None,
    row_settings: Iterable[str] | None = None,
    verbose: int | None = None,
    **kwargs: Any,
) -> ModelStatistics:
    """What ``torchinfo.summary`` returns, printed if it would print it.

    Args:
        model: the model.
        input_size: the shape of the input, or a list of shapes.
        input_data: in place of it, the input: a tensor, a list of inputs or a dict of keywords.
        batch_dim: where a batch of 1 is put into the shapes of `input_size`.
        cache_forward_pass: without meaning.
        col_names: the columns: ``"input_size"``, ``"output_size"``, ``"num_params"``,
            ``"params_percent"``, ``"kernel_size"``, ``"mult_adds"``, ``"trainable"``.
        col_width: characters of a column.
        depth: modules further below the model are not shown.
        device: without meaning.
        dtypes: the element types of the inputs of `input_size`; 32-bit floats by default.
        mode: ``"eval"`` or ``"train"``, in which the figures do not differ.
        row_settings: what is shown in a row: ``"depth"``, ``"var_names"``, ``"ascii_only"``,
            ``"hide_recursive_layers"``.
        verbose: 0 prints nothing, 1 the table, 2 also every parameter; 1 by default, and 0 in an
            interactive session.
        kwargs: further keyword arguments of the model.

    Raises:
        NetledgerError: torchinfo fails on this model or refuses these arguments.
    """
    given = input_data is not None or input_size is not None
    if col_names is None:
        col_names = ("output_size", "num_params") if given else ("num_params",)
    columns = tuple(col_names)
    if verbose is None:
        verbose = 0 if getattr(sys, "ps1", None) else 1
    rows = {"depth"} if row_settings is None else set(row_settings)
    _check(columns, rows, mode, col_width, verbose)
    if input_data is not None and input_size is not None:
        raise NetledgerError("give one of input_data and input_size, not both")
    if not given and _NEED_INPUT & set(columns):
        needed = ", ".join(sorted(_NEED_INPUT & set(columns)))
        raise NetledgerError(f"the columns {needed} need input_data or input_size")

    formatting = Formatting(depth, verbose, columns, col_width, rows)
    if not given:
        statistics = ModelStatistics(declared(model), [], None, formatting)
    else:
        if input_size is not None:
            sizes, inputs, total = _from_sizes(input_size, batch_dim, dtypes)
        else:
            sizes, inputs, total = _from_data(input_data)
        recording = record(model, (_arguments(inputs, kwargs),))
        statistics = ModelStatistics(called(recording, batch_dim), sizes, total, formatting)
    if verbose > 0:
        print(statistics)
    return statistics


def _check(
    columns: Iterable[str], rows: Iterable[str], mode: str | None, col_width: int, verbose: int
) -> None:
    for value, known, name in (
        *((column, COLUMNS, "column") for column in columns),
        *((row, _ROW_SETTINGS, "row setting") for row in rows),
        (mode or "eval", ("eval", "train"), "mode"),
    ):
        if value not in known:
            raise NetledgerError(f"unknown {name} {value!r}; there are {', '.join(sorted(known))}")
    if col_width <= 0:
        raise NetledgerError(f"col_width must be positive, got {col_width}")
    if verbose not in (0, 1, 2):
        raise NetledgerError(f"verbose is 0, 1 or 2, got {verbose!r}")


# -- inputs ----------------------------------------------------------------------------------------


def _from_sizes(
    input_size: Sequence[Any], batch_dim: int | None, dtypes: list[torch.dtype] | None
) -> tuple[Any, list[Any], int]:
    """Shapes, inputs and bytes of what `input_size` says."""
    if not isinstance(input_size, list | tuple):
        raise NetledgerError(f"input_size is a tuple or a list, got {input_size!r}")
    flat = list(_flat(input_size))
    if not input_size or any(size <= 0 for size in flat):
        raise NetledgerError(f"input_size must hold positive sizes, got {input_size!r}")
    if dtypes is not None and any(dtype in (torch.float16, torch.bfloat16) for dtype in dtypes):
        warnings.warn(
            "torchinfo advises against half precision with input_size; the figures are those of "
            "these types",
            stacklevel=3,
        )
    if isinstance(input_size[0], int):
        shapes: list[Any] = [tuple(input_size) if isinstance(input_size, list) else input_size]
    else:
        shapes = list(input_size)
    inputs: list[Any] = []
    total = 0
    for shape, dtype in zip(shapes, dtypes or [torch.float32] * len(shapes), strict=False):
        sizes = list(_flat(shape))
        if batch_dim is not None:
            place = batch_dim if batch_dim >= 0 else batch_dim + len(sizes) + 1
            sizes.insert(place, 1)
        inputs.append(Input(tuple(sizes), dtype))
        total += _storage(torch.empty(sizes, dtype=dtype, device="meta"))
    return shapes, inputs, total


def _flat(sizes: Iterable[Any]) -> Iterable[Any]:
    for entry in sizes:
        if isinstance(entry, list | tuple):
            yield from _flat(entry)
        else:
            yield entry


def _from_data(data: Any) -> tuple[Any, Any, Any]:
    """Shapes, inputs and bytes of `input_data`."""
    inputs = [data] if isinstance(data, torch.Tensor | np.ndarray) else data
    if not isinstance(inputs, list | tuple | dict):
        raise NetledgerError(
            f"input_data is a tensor, a list of inputs or a dict of keywords, got {data!r}"
        )
    sizes = _mapped(data, lambda tensor: tensor.size(), type)

    def added(value: Any) -> Callable[[Any], Any]:
        return (lambda sums: sum(sums.values())) if isinstance(value, Mapping) else sum

    try:
        total = _mapped(inputs, _storage, added)
    except TypeError:
        raise NetledgerError(
            "torchinfo fails on inputs that are neither tensors nor numbers: it adds them to the "
            "bytes"
        ) from None
    return sizes, inputs, total


def _mapped(
    data: Any, of_tensor: Callable[[torch.Tensor], Any], collect: Callable[[Any], Any]
) -> Any:
    """Something with its tensors replaced, and its lists and dicts collected anew."""
    if isinstance(data, np.ndarray):
        data = torch.from_numpy(data)
    if isinstance(data, torch.Tensor):
        return of_tensor(data)
    if isinstance(data, Mapping):
        return collect(data)(
            {key: _mapped(value, of_tensor, collect) for key, value in data.items()}
        )
    if isinstance(data, Iterable) and not isinstance(data, str):
        values = [_mapped(value, of_tensor, collect) for value in data]
        named = isinstance(data, tuple) and hasattr(data, "_fields")
        return collect(data)(*values) if named else collect(data)(values)
    return data


def _storage(tensor: torch.Tensor) -> int:
    """The bytes of a tensor's storage, with those of the Python object."""
    return sys.getsizeof(tensor.untyped_storage())


def _arguments(inputs: Any, kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    if isinstance(inputs, dict):
        return [], {**inputs, **kwargs}
    return list(inputs), kwargs
