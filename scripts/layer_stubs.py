"""Write the stubs of the functions that come from the rule book, or check that they are current.

``python scripts/layer_stubs.py`` writes layers.pyi, compiled.pyi and formulas/__init__.pyi in
python/netledger; ``--check`` leaves them alone, says which are out of date and exits with 1.
"""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

from netledger.formulas._layer import OPERATIONS, Operation

PACKAGE = Path(__file__).resolve().parents[1] / "python" / "netledger"
HEADER = "# Written by scripts/layer_stubs.py: run `make stubs` after a change to the rule book.\n"

#: Ops whose number of outputs is not one, or depends on an attribute.
SEVERAL_OUTPUTS = {
    "aminmax", "chunk", "cummax", "cummin", "gru", "kthvalue", "lstm", "lstm_cell",
    "max_with_indices", "median", "min_with_indices", "multi_head_attention", "opaque", "rnn",
    "sort", "split", "std_mean", "topk", "unbind", "uncalled", "var_mean",
}  # fmt: skip

#: Where names of annotations come from, if not from the frame of the formulas.
SOURCES = {"Literal": "typing", "Sequence": "collections.abc"}
BUILTIN_WORDS = {"None", "bool", "int", "str", "tuple", "float"}


def words(annotation: str) -> set[str]:
    """The names in an annotation, words in quotes left out."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", annotation)
    return set(re.findall(r"[A-Za-z_]\w*", bare)) - BUILTIN_WORDS


def parameters(operation: Operation, tensor: str, names: dict[str, str]) -> list[str]:
    """The parameters of a function of an operation, with `tensor` for the inputs."""
    module = sys.modules[operation.rule.__module__]
    rendered = []
    signature = inspect.signature(operation.rule)
    positional = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.POSITIONAL_ONLY
    ]
    for parameter in signature.parameters.values():
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        if parameter.kind is parameter.VAR_POSITIONAL:
            rendered.append(f"*{parameter.name}: {tensor}")
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            optional = " | None" if default else ""
            rendered.append(f"{parameter.name}: {tensor}{optional}{default}")
            if parameter is positional[-1]:
                rendered.append("/")
            continue
        starred = any(argument.startswith("*") for argument in rendered)
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            rendered.append("*")
        annotation = str(parameter.annotation)
        for word in words(annotation):
            value = getattr(module, word)
            if typing.get_origin(value) is typing.Literal:
                # Two families may give one name to different words: they are written out.
                annotation = re.sub(rf"\b{word}\b", repr(value).replace("typing.", ""), annotation)
                names["Literal"] = "typing"
            else:
                names[word] = SOURCES.get(word, "netledger.formulas._layer")
        rendered.append(f"{parameter.name}: {annotation}{default}")
    return rendered


def stub(
    functions: Callable[[Operation], tuple[list[str], str]], names: dict[str, str], tail: str
) -> str:
    """A stub with one function per operation."""
    lines = []
    for operation in OPERATIONS.values():
        arguments, result = functions(operation)
        lines.append(f"def {operation.name}({', '.join(arguments)}) -> {result}: ...")
    imports = [f"from {module} import {name}" for name, module in sorted(names.items())]
    return "\n".join([HEADER, *imports, "", tail, "", *lines, ""])


def layers_stub() -> str:
    """Functions of tensors."""
    names = {"Sequence": "collections.abc", "Tensor": "netledger.graph"}

    def function(operation: Operation) -> tuple[list[str], str]:
        arguments = parameters(operation, "Tensor", names)
        if not any(argument.startswith("*") for argument in arguments):
            arguments.append("*")
        arguments += [
            'name: str = ""',
            "weights: Sequence[Tensor | None] | None = None",
            "dtype: str | Sequence[str] | None = None",
        ]
        several = operation.name in SEVERAL_OUTPUTS or "return_indices" in operation.by_name
        return arguments, "Any" if several else "Tensor"

    names["Any"] = "typing"
    return stub(function, names, f"__all__ = {sorted(OPERATIONS)}")


def formulas_stub(exported: list[str]) -> str:
    """Functions of shapes; `exported` are the other names of the module."""
    names = {"Any": "typing", "Cost": "netledger._results", "Sequence": "collections.abc"}

    def function(operation: Operation) -> tuple[list[str], str]:
        # Any size or attribute may be an array of integers as well.
        arguments = [
            re.sub(r"(\w+): (?!Sequence\[Any\]).*?(?= =|$)", r"\1: Any", argument)
            for argument in parameters(operation, "Sequence[Any]", {})
        ]
        return arguments, "Cost"

    tail = f"__all__ = {[*exported, *sorted(OPERATIONS)]}"
    if "OPERATIONS" in exported:
        tail = f"from netledger.formulas._layer import OPERATIONS as OPERATIONS\n\n{tail}"
    return stub(function, names, tail)


def formatted(text: str) -> str:
    """The text as ruff formats it."""
    for command in (
        ("check", "--fix-only", "--select", "I,RUF022", "--stdin-filename", "stub.pyi", "-"),
        ("format", "--stdin-filename", "stub.pyi", "-"),
    ):
        text = subprocess.run(
            (sys.executable, "-m", "ruff", *command),
            input=text, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return text


def main() -> None:
    """Write the stubs, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 if stale")
    check = parser.parse_args().check
    wanted = {
        PACKAGE / "layers.pyi": formatted(layers_stub()),
        PACKAGE / "formulas" / "__init__.pyi": formatted(formulas_stub(["Cost", "OPERATIONS"])),
        PACKAGE / "compiled.pyi": formatted(formulas_stub([])),
    }
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if check and stale:
        sys.exit(f"out of date: {', '.join(path.name for path in stale)}; run `make stubs`")
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")


if __name__ == "__main__":
    main()
