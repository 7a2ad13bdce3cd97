"""Write docs/operations.md, the rule book for readers, from the docstrings of the formulas.

``python scripts/ops_table.py`` writes the page; ``--check`` only says whether it is current.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from netledger import formulas
from netledger.formulas import OPERATIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"

#: In the order of the page; a new family has to be given its place here.
FAMILIES = (
    "convolution",
    "linear",
    "attention",
    "recurrent",
    "normalization",
    "pooling",
    "activation",
    "elementwise",
    "reduction",
    "embedding",
    "shape",
    "resample",
    "declared",
)

HEAD = """\
# Operations

Written by `scripts/ops_table.py` from the docstrings of `netledger.formulas`: change those, not
this page. What holds for all of them (what counts as an operation, what memory access is) is in
[counting.md](counting.md).

The rule book has {operations} operations in {families} families. Each is written as the formula is
called: first the shapes of its inputs, then its attributes, which have torch's names. |x| and |y|
are the numbers of elements of the input and the output. The layer functions of the same names take
tensors of a graph in place of the shapes.
"""


def page() -> str:
    """The whole page."""
    families: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name, operation in OPERATIONS.items():
        families[operation.family].append(name)
    parts = [HEAD.format(operations=len(OPERATIONS), families=len(families))]
    parts.append("".join(f"* [{_title(family)}](#{family})\n" for family in families))
    for family, names in families.items():
        parts.extend(_family(family, names))
    return "\n".join(parts)


def _title(family: str) -> str:
    return family.capitalize()


def _family(family: str, names: Iterable[str]) -> Iterable[str]:
    """A heading, what its operations have in common, those with long texts, a table of the rest."""
    yield f"## {_title(family)}\n"
    yield _prose(_paragraphs(importlib.import_module(f"netledger.formulas.{family}")))
    texts = {name: _paragraphs(getattr(formulas, name)) for name in names}
    rest = {}
    for name, paragraphs in texts.items():
        if any(paragraph.startswith("* ") for paragraph in paragraphs):
            yield f"### {name}\n\n`{_call(name)}`\n"
            yield _prose(paragraphs)
        else:
            rest[name] = paragraphs
    if rest:
        yield "| operation | meaning and cost | source |\n|---|---|---|"
        yield "".join(_line(name, paragraphs) for name, paragraphs in rest.items())


def _paragraphs(thing: object) -> list[str]:
    """The paragraphs of a docstring, each on one line, the entries of lists by themselves."""
    text = inspect.getdoc(thing) or ""
    text = re.sub(r"\n(?=\* )", "\n\n", text)
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _prose(paragraphs: Iterable[str]) -> str:
    lines = []
    for paragraph in paragraphs:
        if paragraph.startswith("* "):
            lines.append(f"* {_escaped(paragraph[2:])}\n")
        else:
            lines.append(f"\n{_escaped(paragraph)}\n\n")
    return re.sub(r"\n{3,}", "\n\n", "".join(lines)).strip("\n") + "\n"


def _line(name: str, paragraphs: Iterable[str]) -> str:
    text, _, source = " ".join(paragraphs).partition("Source: ")
    cells = (f"`{_call(name)}`", _escaped(text.strip()), _escaped(source.removesuffix(".")))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _call(name: str) -> str:
    """The formula as it is called: its name and its parameters, without their types."""
    signature = inspect.signature(getattr(formulas, name))
    parameters = [
        parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()
    ]
    return name + str(signature.replace(parameters=parameters, return_annotation=signature.empty))


def _escaped(text: str) -> str:
    """Asterisks that Markdown would take for emphasis, outside of code."""
    parts = text.split("`")
    parts[::2] = [
        re.sub(r"(?<=\S)\*+|\*+(?=\S)", lambda match: "\\*" * len(match.group()), part)
        for part in parts[::2]
    ]
    return "`".join(parts)


def main() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit with 1 if stale")
    current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if parser.parse_args().check:
        if current != page():
            sys.exit(f"{PAGE.name} is out of date; run `python scripts/ops_table.py`")
    elif current != page():
        PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
