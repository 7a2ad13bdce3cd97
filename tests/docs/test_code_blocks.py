"""Every code block of README.md and docs/ runs, and prints what the page says that it prints."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.code_blocks import ROOT, blocks_of, libraries_of, run_file

RUNNER = Path(__file__).with_name("code_blocks.py")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILE = re.compile(r"`((?:cpp|python|tests|docs|scripts|examples|bench)/[\w/.]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def page_id(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_blocks_print_what_the_page_says(page: Path) -> None:
    # In a process of its own: torchvision changes torch for good where it lacks its compiled part.
    text = page.read_text(encoding="utf-8")
    for library in libraries_of(text):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(page)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    problems = json.loads(done.stdout)
    assert not problems, "\n\n".join(problems)


def test_the_pages_have_blocks() -> None:
    assert len(blocks_of((ROOT / "README.md").read_text(encoding="utf-8"))) >= 8


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in LINK.findall(text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file) if file else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(anchor_of, headings), link


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_that_are_named_exist(page: Path) -> None:
    for file in FILE.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / file).exists(), file


def anchor_of(heading: str) -> str:
    """What a heading is called in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def fenced(language: str, text: str) -> str:
    return f"Words.\n\n```{language}\n{text}```\n"


GOOD = (
    fenced("python", "x = 1\n"),
    fenced("python", "x = 1\n") + fenced("python", "print(x)\n") + fenced("text", "1\n"),
    fenced("console", "$ make test\n$ pip install '.[torch]'\n"),
    fenced("console", "$ netledger ops lp_pool1\n"),
    fenced("console", "$ netledger ops matmul\nlinear\n  matmul()\n"),
    fenced("console", "$ netledger count examples/alexnet_graph.py:alexnet_graph --metric macs\n"),
    fenced("cpp", "  layer.output(y);\n"),
)
BAD = {
    "is printed": fenced("python", "print(1)\n") + fenced("text", "2\n"),
    "what it prints is not shown": fenced("python", "print(1)\n"),
    "NameError": fenced("python", "print(x)\n") + fenced("text", ""),
    "no block before it prints this": fenced("text", "1\n"),
    "blocks of 'sh' are not run": fenced("sh", "make\n"),
    "blocks of '' are not run": fenced("", "make\n"),
    "+  matmul()": fenced("console", "$ netledger ops matmul\nlinear\n"),
    "exit code 2": fenced("console", "$ netledger ops nothing\n"),
    "exit code 0": fenced("console", "$ netledger ops matmul\nnetledger: error: no\n"),
    "there is no target 'tests'": fenced("console", "$ make tests\n"),
    "there is no extra 'nothing'": fenced("console", "$ pip install '.[nothing]'\n"),
    "pip can only": fenced("console", "$ pip install netledger\n"),
    "'ls' is not run": fenced("console", "$ ls\n"),
    "there is no bench/nothing.py": fenced("console", "$ python bench/nothing.py\n"),
    "it does not begin with a command": fenced("console", "netledger ops\n"),
    "no file of cpp/ has these lines": fenced("cpp", "int main() { return 1; }\n"),
}


@pytest.mark.parametrize("text", GOOD)
def test_good_page(text: str) -> None:
    result = run_file(text)
    assert result.problems == []
    assert result.text == text


@pytest.mark.parametrize("problem", BAD)
def test_bad_page(problem: str) -> None:
    assert problem in "\n".join(run_file(BAD[problem]).problems)


def test_what_is_printed_can_be_written() -> None:
    said = fenced("python", "print(1)\n") + fenced("text", "2\n")
    said += fenced("console", "$ netledger ops matmul\nlinear\n")
    result = run_file(said)
    assert run_file(result.text).problems == []
