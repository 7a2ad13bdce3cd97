"""Write python/netledger/_core.pyi from the compiled module, or check that it is up to date.

``python scripts/stubs.py`` rewrites the file; ``python scripts/stubs.py --check`` leaves it alone,
prints what differs and exits with 1.

What there is, and the names and defaults of the parameters, come from the compiled module (through
pybind11-stubgen); the types come from its plain-Python twin, ``netledger._pure``, where they are
written by hand. A signature in which the two differ is an error.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import inspect
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

MODULE = "netledger._core"
TWIN = "netledger._pure"
STUB = Path(__file__).resolve().parents[1] / "python" / "netledger" / "_core.pyi"
HEADER = "# Written by scripts/stubs.py: run `make stubs` after a change to the bindings.\n"


def run(*command: str, text: str | None = None) -> str:
    """Run a module of this Python on `text`; return what it prints, or exit with its message."""
    result = subprocess.run(
        (sys.executable, "-m", *command), input=text, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def compiled_module() -> ast.Module:
    """The stub of the compiled module, with such types as the bindings know."""
    with tempfile.TemporaryDirectory() as folder:
        run("pybind11_stubgen", MODULE, "--output-dir", folder, "--exit-code")
        stub = Path(folder, *MODULE.split(".")).with_suffix(".pyi")
        return ast.parse(stub.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function and method of a stub, with its dotted name; constructors left out."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name != "__init__":
                    yield f"{node.name}.{member.name}", member


def twin_of(name: str) -> Callable[..., Any]:
    """The function of that dotted name in the twin; of a property, its getter."""
    value: Any = importlib.import_module(TWIN)
    for part in name.split("."):
        if not hasattr(value, part):
            sys.exit(f"{MODULE} has {name}, and {TWIN} has not")
        value = getattr(value, part)
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, cached_property):
        value = value.func
    function: Callable[..., Any] = value
    return function


def parameters(function: ast.FunctionDef) -> list[tuple[ast.arg, str]]:
    """The parameters of a stub's function, each with its kind and default in words."""
    spelled = function.args
    positional = spelled.posonlyargs + spelled.args
    defaults = [None] * (len(positional) - len(spelled.defaults)) + spelled.defaults
    found = [
        (argument, f"{argument.arg}={ast.unparse(default)}" if default else argument.arg)
        for argument, default in zip(positional, defaults, strict=True)
    ]
    if spelled.vararg:
        found.append((spelled.vararg, "*"))  # a binding cannot name it
    for argument, default in zip(spelled.kwonlyargs, spelled.kw_defaults, strict=True):
        words = f"{argument.arg}={ast.unparse(default)}" if default else argument.arg
        found.append((argument, f"keyword {words}"))
    return found


def in_words(parameter: inspect.Parameter) -> str:
    """A parameter of the twin as `parameters` puts those of the stub."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return "*"
    has_default = parameter.default is not inspect.Parameter.empty
    words = f"{parameter.name}={parameter.default!r}" if has_default else parameter.name
    return f"keyword {words}" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else words


def expression(annotation: str) -> ast.expr:
    return ast.parse(annotation, mode="eval").body


def annotate(name: str, function: ast.FunctionDef, twin: Callable[..., Any]) -> None:
    """Give a stub's function the types of its twin."""
    signature = inspect.signature(twin)
    found = parameters(function)
    present = [words for _, words in found]
    expected = [in_words(parameter) for parameter in signature.parameters.values()]
    if present != expected:
        sys.exit(f"{name}: the compiled one takes {present}, its twin {expected}")
    for (argument, _), parameter in zip(found, signature.parameters.values(), strict=True):
        argument.arg = parameter.name
        if parameter.annotation is not inspect.Parameter.empty:
            argument.annotation = expression(parameter.annotation)
    function.returns = expression(signature.return_annotation)


def imports(module: str) -> dict[str, ast.ImportFrom | ast.Import]:
    """How to import the names that a module imports, or assigns as aliases."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found: dict[str, ast.ImportFrom | ast.Import] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: ast.ImportFrom(node.module, [alias], 0) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: ast.Import([alias]) for alias in node.names}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found[name] = ast.ImportFrom(module, [ast.alias(name)], 0)
    return found


def generate() -> str:
    """The stub: what the compiled module has, with the types of its twin."""
    tree = compiled_module()
    importable: dict[str, ast.ImportFrom | ast.Import] = {}
    for name, function in functions(tree):
        twin = twin_of(name)
        annotate(name, function, twin)
        importable |= imports(twin.__module__)
    # The module has no __all__ at run time.
    head, *body = (
        node
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "__all__")
    )
    defined = {node.name for node in body if isinstance(node, ast.ClassDef)}
    used = {node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)}
    tree.body = [
        head,
        *(importable[name] for name in sorted((used - defined) & importable.keys())),
        *body,
    ]
    text = HEADER + ast.unparse(ast.fix_missing_locations(tree))
    text = run(
        "ruff", "check", "--quiet", "--select=I", "--fix", "--stdin-filename=-.pyi", "-", text=text
    )
    return run("ruff", "format", "--stdin-filename=-.pyi", "-", text=text)


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 on a difference")
    check = parser.parse_args().check

    generated = generate()
    if not check:
        STUB.write_text(generated, encoding="utf-8")
        return 0
    present = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    difference = difflib.unified_diff(
        present.splitlines(keepends=True),
        generated.splitlines(keepends=True),
        fromfile=str(STUB),
        tofile="generated",
    )
    sys.stdout.writelines(difference)
    if present != generated:
        print("run: make stubs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
