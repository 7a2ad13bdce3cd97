"""Runs the code blocks of a Markdown file and compares what they print with what the file says.

    python tests/docs/code_blocks.py FILE...            one problem per line, as JSON
    python tests/docs/code_blocks.py --write FILE...    put what the blocks print into the files

The blocks that there may be:

* ``python``: run in order, in one namespace for the file; what it prints stands in the ``text``
  block that comes next
* ``console``: after a ``$`` a command, then what it prints, or nothing if that is not shown.
  ``netledger`` runs in this process; of ``make`` and ``pip`` only the target is looked up
* ``cpp``: stands word for word in a file of the core

Any other block is a problem: nothing would tell when it is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\S*)[ \t]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LIBRARIES = ("torch", "torchvision", "timm", "transformers", "pandas")


@dataclass
class Block:
    """A fenced block: its language, its lines, and where it begins and ends in the file."""

    language: str
    text: str
    line: int
    start: int
    end: int


@dataclass
class Result:
    """What a run of a file came to: problems, and the file with what its blocks print."""

    problems: list[str] = field(default_factory=list)
    text: str = ""


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a Markdown file."""
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1, *match.span(2))
        for match in FENCE.finditer(text)
    ]


def libraries_of(text: str) -> list[str]:
    """The libraries that the blocks of a file use."""
    code = "".join(block.text for block in blocks_of(text) if block.language != "text")
    return [name for name in LIBRARIES if re.search(rf"(?<![\w.\[]){name}[.:\s]", code)]


def run_file(text: str) -> Result:
    """Run the blocks of a Markdown file, in a folder where only ``examples`` is."""
    if "torchvision" in libraries_of(text):
        from netledger._targets import with_torchvision

        with_torchvision(lambda: importlib.import_module("torchvision"))
    before, path = Path.cwd(), list(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        os.chdir(folder)
        try:
            return _Run(text).result
        finally:
            os.chdir(before)
            sys.path[:] = path


class _Run:
    def __init__(self, text: str) -> None:
        self.result = Result()
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        blocks = blocks_of(text)
        parts, position = [], 0
        printed: str | None = None  # by the block before
        for block, following in zip_longest(blocks, blocks[1:]):
            shown = block.text
            if block.language == "python":
                printed = self._python(block)
                if printed and (following is None or following.language != "text"):
                    self._problem(block, f"what it prints is not shown:\n{printed}")
            elif block.language == "text":
                if printed is None:
                    self._problem(block, "no block before it prints this")
                else:
                    shown = printed
                    self._compare(block, block.text, printed)
                printed = None
            else:
                printed = None
                if block.language == "console":
                    shown = self._console(block)
                elif block.language == "cpp":
                    self._excerpt(block)
                else:
                    self._problem(block, f"blocks of '{block.language}' are not run")
            parts += [text[position : block.start], shown]
            position = block.end
        self.result.text = "".join([*parts, text[position:]])

    def _problem(self, block: Block, text: str) -> None:
        self.result.problems.append(f"line {block.line}: {text}")

    def _compare(self, block: Block, said: str, printed: str) -> None:
        if said != printed:
            lines = difflib.unified_diff(
                said.splitlines(), printed.splitlines(), "the file says", "is printed", lineterm=""
            )
            self._problem(block, "\n".join(lines))

    def _python(self, block: Block) -> str:
        out = io.StringIO()
        try:
            code = compile("\n" * block.line + block.text, "<block>", "exec")
            with contextlib.redirect_stdout(out):
                exec(code, self._namespace)  # noqa: S102
        except Exception:  # noqa: BLE001
            self._problem(block, traceback.format_exc(limit=-2))
        return out.getvalue()

    # -- commands ---------------------------------------------------------------------------------

    def _console(self, block: Block) -> str:
        head, *commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        if head:
            self._problem(block, "it does not begin with a command")
        shown = [head]
        for command in commands:
            line, _, said = command.partition("\n")
            printed = self._command(block, line, said)
            if said:
                self._compare(block, said, printed)
            shown.append(f"$ {line}\n{printed if said else ''}")
        return "".join(shown)

    def _command(self, block: Block, line: str, said: str) -> str:
        program, *arguments = shlex.split(line, comments=True)
        if program == "make":
            self._make(block, arguments)
        elif program == "pip":
            self._pip(block, arguments)
        elif program == "python" and not arguments[0].startswith("examples/"):
            if not (ROOT / arguments[0]).is_file():
                self._problem(block, f"there is no {arguments[0]}")
        else:
            return self._run(block, [program, *arguments], fails="netledger: error:" in said)
        return ""

    def _run(self, block: Block, command: list[str], *, fails: bool) -> str:
        out = io.StringIO()
        program, *arguments = command
        code = 0
        if "=" in program:  # a variable of the environment for the command behind it
            name, _, value = program.partition("=")
            assert arguments[0] == "netledger"
            done = subprocess.run(
                [sys.executable, "-m", *arguments],
                env={**os.environ, name: value},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            code = done.returncode
            out.write(done.stdout)
        else:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                if program == "netledger":
                    code = _netledger(arguments)
                elif program == "python":
                    runpy.run_path(arguments[0], run_name="__main__")
                else:
                    self._problem(block, f"'{program}' is not run")
        if fails != bool(code):
            self._problem(block, f"exit code {code}:\n{out.getvalue()}")
        return out.getvalue()

    def _make(self, block: Block, arguments: list[str]) -> None:
        rules = re.findall(r"^([\w .-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
        targets = {target for rule in rules for target in rule.split()}
        for target in arguments:
            if "=" not in target and target not in targets:
                self._problem(block, f"there is no target '{target}'")

    def _pip(self, block: Block, arguments: list[str]) -> None:
        match = re.fullmatch(r"install \.(?:\[([\w,]+)\])?", " ".join(arguments))
        if match is None:
            self._problem(block, "pip can only `install .`, with extras")
            return
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for extra in filter(None, (match[1] or "").split(",")):
            if not re.search(rf"^{extra} = \[", project, re.MULTILINE):
                self._problem(block, f"there is no extra '{extra}'")

    # -- excerpts ---------------------------------------------------------------------------------

    def _excerpt(self, block: Block) -> None:
        files = (ROOT / "cpp").glob("*/*.*")
        if not any(block.text in file.read_text(encoding="utf-8") for file in files):
            self._problem(block, "no file of cpp/ has these lines")


def _netledger(arguments: list[str]) -> int:
    from netledger.cli import main

    try:
        return main(arguments)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1


def main() -> None:
    """Run files; print their problems as JSON, or write what is printed into them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    for file in arguments.files:
        text = file.read_text(encoding="utf-8")
        result = run_file(text)
        if arguments.write and result.text != text:
            file.write_text(result.text, encoding="utf-8")
        json.dump(result.problems, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
