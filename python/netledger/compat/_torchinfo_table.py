"""torchinfo's totals and its table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum
from typing import Any

from netledger.compat._torchinfo_layers import LayerInfo

__all__ = ["COLUMNS", "Formatting", "ModelStatistics"]

#: The columns, and what the table calls them.
COLUMNS = {
    "kernel_size": "Kernel Shape",
    "input_size": "Input Shape",
    "output_size": "Output Shape",
    "num_params": "Param #",
    "params_percent": "Param %",
    "mult_adds": "Mult-Adds",
    "trainable": "Trainable",
}
#: Names of modules are indented by so much per depth when their column is made wide enough.
INDENT = 5


class Units(str, Enum):
    """Units of a total. Python decides whether their name or their value is printed, as there."""

    MEGABYTES = "M"
    GIGABYTES = "G"
    TERABYTES = "T"


class Formatting:
    """What the table shows, and how.

    Attributes:
        max_depth: rows below it are left out.
        verbose: 2 shows every parameter.
        col_names: the columns.
        col_width: their width.
        row_settings: what is shown in a row.
        layer_name_width: the width of the first column.
    """

    def __init__(
        self,
        max_depth: int,
        verbose: int,
        col_names: tuple[str, ...],
        col_width: int,
        row_settings: Iterable[str],
    ) -> None:
        self.max_depth = max_depth
        self.verbose = verbose
        self.col_names = col_names
        self.col_width = col_width
        self.row_settings = frozenset(row_settings)
        self.layer_name_width = 40

    def name(self, row: LayerInfo) -> str:
        """What a row is called."""
        return row.get_layer_name("var_names" in self.row_settings, "depth" in self.row_settings)

    def fit(self, rows: list[LayerInfo]) -> None:
        """Make the first column wide enough for all rows, shown or not."""
        longest = max((len(self.name(row)) + INDENT * row.depth + 1 for row in rows), default=0)
        if longest >= self.layer_name_width:
            self.layer_name_width = math.ceil(longest / INDENT) * INDENT

    def total_width(self) -> int:
        """Characters of a divider."""
        return self.layer_name_width + len(self.col_names) * self.col_width

    def line(self, name: str, cells: dict[str, str]) -> str:
        """A line of the table."""
        text = f"{name:<{self.layer_name_width}} "
        for column in self.col_names:
            text += f"{cells.get(column, ''):<{self.col_width}} "
        return text.rstrip() + "\n"

    def header(self) -> str:
        """The line with the names of the columns."""
        shown = " (var_name)" if "var_names" in self.row_settings else ""
        shown += ":depth-idx" if "depth" in self.row_settings else ""
        return self.line(f"Layer (type{shown})", COLUMNS)

    def indent(self, depth: int) -> str:
        """What stands in front of a name."""
        plain = "ascii_only" in self.row_settings
        if depth == 0:
            return ""
        if depth == 1:
            return "+ " if plain else "├─"
        return ("|    " if plain else "│    ") * (depth - 1) + ("+ " if plain else "└─")

    def rows(self, rows: list[LayerInfo], total_params: int) -> str:
        """The lines of all rows down to the depth that is shown."""
        text = ""
        hide = "hide_recursive_layers" in self.row_settings
        for row in rows:
            if row.depth > self.max_depth or (hide and row.is_recursive):
                continue
            text += self._row(row, total_params)
            if self.verbose == 2:
                for name, cells in row.inner_layers.items():
                    text += self.line(self.indent(row.depth + 1) + name, cells)
        return text

    def _row(self, row: LayerInfo, total_params: int) -> str:
        whole = row.is_leaf_layer or row.depth == self.max_depth
        return self.line(
            self.indent(row.depth) + self.name(row),
            {
                "kernel_size": _or_dashes(row.kernel_size),
                "input_size": _or_dashes(row.input_size),
                "output_size": _or_dashes(row.output_size),
                "num_params": _params(row, whole),
                "params_percent": _percent(row, whole, total_params),
                "mult_adds": _mult_adds(row, whole),
                "trainable": row.trainable,
            },
        )


def _or_dashes(value: Any) -> str:
    return str(value) if value else "--"


def _params(row: LayerInfo, whole: bool) -> str:
    if row.num_params == 0:
        return "--"
    if row.is_recursive:
        return "(recursive)"
    if whole:
        return f"{row.num_params:,}" if row.trainable_params else f"({row.num_params:,})"
    leftover = row.leftover_params()
    return f"{leftover:,}" if leftover > 0 else "--"


def _percent(row: LayerInfo, whole: bool, total_params: int) -> str:
    if total_params and row.is_recursive:
        return "(recursive)"
    params = (row.num_params if whole else row.leftover_params()) if total_params else 0
    return f"{params / total_params:>7.2%}" if params else "     --"


def _mult_adds(row: LayerInfo, whole: bool) -> str:
    """Of a module with others below it, what they count, if it counts something itself."""
    if row.macs <= 0 or not whole:
        return "--"
    if row.is_leaf_layer:
        return f"{row.macs:,}"
    return f"{sum(child.macs for child in row.children if child.is_leaf_layer):,}"


class ModelStatistics:
    """What ``torchinfo.summary`` returns; its text is the table.

    Attributes:
        summary_list: the rows.
        input_size: the shapes of the inputs.
        formatting: how the table is printed.
        total_input: bytes of the inputs, with what Python needs to hold them.
        total_mult_adds: mult-adds of all modules without others below them.
        total_params: elements of the parameters.
        trainable_params: those that are trained.
        total_param_bytes: bytes of the parameters of modules without others below them.
        total_output_bytes: bytes of the outputs of such modules with parameters, and of their
            gradients.
    """

    def __init__(
        self, summary_list: list[LayerInfo], input_size: Any, total_input: Any, format: Formatting
    ) -> None:
        self.summary_list = summary_list
        self.input_size = input_size
        self.total_input = total_input
        self.formatting = format
        self.total_mult_adds = 0
        self.total_params = 0
        self.trainable_params = 0
        self.total_param_bytes = 0
        self.total_output_bytes = 0
        for row in summary_list:
            if row.is_leaf_layer:
                self.total_mult_adds += row.macs
                if row.num_params > 0:
                    self.total_output_bytes += 2 * row.output_bytes
            if row.is_recursive:
                continue
            if row.is_leaf_layer:
                self.total_params += row.num_params
                self.trainable_params += row.trainable_params
                self.total_param_bytes += row.param_bytes
            else:
                # Shared modules can make these negative.
                self.total_params += max(row.leftover_params(), 0)
                self.trainable_params += max(row.leftover_trainable_params(), 0)
        format.fit(summary_list)

    def __repr__(self) -> str:
        formatting = self.formatting
        divider = "=" * formatting.total_width()
        frozen = self.total_params - self.trainable_params
        text = (
            f"{divider}\n{formatting.header()}{divider}\n"
            f"{formatting.rows(self.summary_list, self.total_params)}{divider}\n"
            f"Total params: {self.total_params:,}\n"
            f"Trainable params: {self.trainable_params:,}\n"
            f"Non-trainable params: {frozen:,}\n"
        )
        if self.input_size:
            sizes = (self.total_input, self.total_output_bytes, self.total_param_bytes)
            text += (
                f"Total mult-adds{_in_units(self.total_mult_adds)}\n{divider}\n"
                f"Input size (MB): {_megabytes(sizes[0])}\n"
                f"Forward/backward pass size (MB): {_megabytes(sizes[1])}\n"
                f"Params size (MB): {_megabytes(sizes[2])}\n"
                f"Estimated Total Size (MB): {_megabytes(sum(sizes))}\n"
            )
        return text + divider


def _megabytes(size: float) -> str:
    return f"{size / 1e6:0.2f}"


def _in_units(number: int) -> str:
    if number >= 1e12:
        units, scaled = Units.TERABYTES, number / 1e12
    elif number >= 1e9:
        units, scaled = Units.GIGABYTES, number / 1e9
    else:
        units, scaled = Units.MEGABYTES, number / 1e6
    text = f"{int(scaled):,d}" if scaled.is_integer() else f"{scaled:,.2f}"
    return f" ({units}): {text}"
