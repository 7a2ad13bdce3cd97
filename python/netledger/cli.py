"""The command line: count a model, compare conventions, list the rule book."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import textwrap
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import netledger
from netledger._targets import FORMS, InputShape, Target, resolve
from netledger.errors import NetledgerError, TargetError, TraceError, UnsupportedWarning
from netledger.ledger import METRICS, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH = 100
#: Models of more bytes than this are not built a second time, with storage.
LARGEST_BUILT = 4 * 10**9
EXAMPLES = """\
examples:
  netledger count torchvision:resnet50
  netledger count model.py:make_model --input 1,3,224,224 --depth 2
  netledger count timm:vit_small_patch16_224 --metric macs
  netledger count transformers:BertConfig --depth 4 --html report.html
"""


class _Parser(argparse.ArgumentParser):
    """Errors are one line, with the same beginning for every command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"netledger: error: {message}; see {self.prog} --help\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        lines = [f"netledger {netledger.__version__}"]
        lines += [f"  {name}: {value}" for name, value in netledger.build_config().items()]
        print("\n".join(lines))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="netledger", description="What a neural network costs, exactly.")
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="version and how it was built, then exit"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    count = commands.add_parser(
        "count",
        help="count a model: table, totals, JSON, HTML",
        description="Count a model. Nothing is downloaded and nothing is computed but shapes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    count.set_defaults(run=_count)
    count.add_argument("target", metavar="TARGET", help=FORMS)
    _add_input(count)
    count.add_argument(
        "--depth", type=_depth, default=3, help="levels of modules in the table, or 'all' (3)"
    )
    count.add_argument("--exact", action="store_true", help="all digits, however wide the table")
    count.add_argument(
        "--by-op", action="store_true", help="a row for each kind of layer instead of each module"
    )
    count.add_argument(
        "--metric",
        type=_metric,
        metavar="NAME[@CONVENTION]",
        action="append",
        help=f"print nothing but this total: {', '.join(METRICS)}; in a convention, as"
        " flops@thop; may be repeated",
    )
    count.add_argument(
        "--json", metavar="FILE", nargs="?", const="-", help="write JSON; without FILE, print it"
    )
    count.add_argument("--html", metavar="FILE", help="write an HTML report")
    compare = commands.add_parser(
        "compare",
        help="one model in the conventions of many tools, and why they differ",
        description="Count a model in many conventions. With two of them, say what makes the"
        " difference.",
    )
    compare.set_defaults(run=_compare)
    compare.add_argument("target", metavar="TARGET", help=FORMS)
    compare.add_argument(
        "conventions",
        metavar="CONVENTION",
        nargs="*",
        help="as textbook, fvcore or thop@0.0.31; all of them if none is named",
    )
    _add_input(compare)
    compare.add_argument("--json", action="store_true", help="print JSON")
    ops = commands.add_parser("ops", help="list the rule book: every kind of layer")
    ops.set_defaults(run=_ops)
    ops.add_argument("pattern", metavar="NAME", nargs="?", default="", help="part of a name")
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        metavar="[NAME=]SIZES[:DTYPE][:ones|:zeros]",
        type=_input,
        action="append",
        default=[],
        help="shape of an input, as 1,3,224,224 or ids=1,128:int64; once for each, in order. With"
        " values where the model looks at them, as mask=1,128:int64:ones",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 if counting failed, 2 for bad usage or an unknown target."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        with _warnings_in_one_line():
            arguments.run(arguments)
        sys.stdout.flush()
    except TargetError as error:
        return _fail(str(error), 2)
    except NetledgerError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:  # the reader has seen enough, as in `netledger ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, code: int) -> int:
    print(f"netledger: error: {' '.join(message.split())}", file=sys.stderr)
    return code


# -- count ----------------------------------------------------------------------------------------


def _count(arguments: argparse.Namespace) -> None:
    if arguments.json == "-" and arguments.metric:
        raise TargetError("--json and --metric both print; give --json a FILE, or choose one")
    ledger = count_target(resolve(arguments.target), arguments.input)
    try:
        if arguments.json not in (None, "-"):
            ledger.to_json(arguments.json)
        if arguments.html is not None:
            ledger.to_html(arguments.html)
    except OSError as error:
        raise TargetError(f"cannot write {error.filename}: {error.strerror}") from error
    if arguments.json == "-":
        sys.stdout.write(ledger.to_json())
    elif arguments.metric:
        print("\n".join(str(ledger.total(metric)) for metric in arguments.metric))
    else:
        print(
            ledger.table(
                arguments.depth,
                by="op" if arguments.by_op else "module",
                units="exact" if arguments.exact else "auto",
                width=shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH,
            )
        )


def count_target(target: Target, inputs: Sequence[InputShape]) -> Ledger:
    """Count a model on the given inputs, else on those that are usual for it."""
    on_meta = target.builds_on_meta
    try:
        model = target.build(meta=on_meta)
    except TargetError:
        if not on_meta:
            raise
        on_meta = False
        model = target.build(meta=False)
    if isinstance(model, netledger.Graph | netledger.Ledger):
        if inputs:
            raise TargetError(f"{target.text} is a graph with inputs of its own; leave out --input")
        ledger = model.count() if isinstance(model, netledger.Graph) else model
        ledger.title = target.text
        return ledger
    inputs = inputs or target.default_inputs(model)
    if not inputs:
        raise TargetError(
            f"say what {target.text} is called with, as --input 1,3,224,224 for an image or"
            " --input input_ids=1,128:int64 for a named input"
        )
    try:
        ledger = _count_module(model, inputs)
    except TraceError:
        # A forward that reads values of buffers, or mixes devices, needs a model with values.
        if not on_meta or _bytes_of(model) > LARGEST_BUILT:
            raise
        ledger = _count_module(target.build(meta=False), inputs)
    ledger.title = f"{target.text} on {', '.join(map(str, inputs))}"
    return ledger


def _bytes_of(model: Any) -> int:
    """Memory that the parameters and buffers of a module take, once they are stored."""
    tensors = (*model.parameters(), *model.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _count_module(model: Any, inputs: Sequence[InputShape]) -> Ledger:
    positional = [given.argument() for given in inputs if not given.name]
    named = {given.name: given.argument() for given in inputs if given.name}
    ledger: Ledger = netledger.count(model, *positional, **named)
    return ledger


# The dtype is matched only where what follows the colon is not values.
INPUT = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<sizes>\d+([,x]\d+)*)"
    r"(?::(?P<dtype>[a-z]\w*?))??(?::(?P<fill>ones|zeros))?"
)


def _input(text: str) -> InputShape:
    match = INPUT.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a shape; write sizes as 1,3,224,224, with a dtype as 1,128:int64,"
            " with a name and values as mask=1,128:bool:ones"
        )
    shape = tuple(map(int, re.split("[,x]", match["sizes"])))
    return InputShape(shape, match["dtype"], match["name"] or "", match["fill"])


def _metric(text: str) -> str:
    metric, _, convention = text.partition("@")
    if convention:
        from netledger.conventions import convention_of

        try:
            convention_of(convention).rule(metric)
        except NetledgerError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    elif metric not in METRICS:
        raise argparse.ArgumentTypeError(f"'{text}' is none of {', '.join(METRICS)}")
    return text


def _depth(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of levels nor 'all'")
    return int(text)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Show netledger's own warnings without the line of code that they come from."""
    show = warnings.showwarning

    def show_ours(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, UnsupportedWarning):
            print(f"netledger: warning: {' '.join(str(message).split())}", file=sys.stderr)
        else:
            show(message, category, *rest, **more)

    warnings.showwarning = show_ours
    try:
        yield
    finally:
        warnings.showwarning = show


# -- compare --------------------------------------------------------------------------------------


def _compare(arguments: argparse.Namespace) -> None:
    ledger = count_target(resolve(arguments.target), arguments.input)
    comparison = ledger.compare(*arguments.conventions)
    differences = []
    if len(arguments.conventions) == 2:
        differences.append(comparison.between(*arguments.conventions))
    if arguments.json:
        found = comparison.to_dict()
        found["differences"] = [difference.to_dict() for difference in differences]
        print(json.dumps(found, indent=2))
        return
    print(comparison)
    for difference in differences:
        print()
        print(difference)


# -- ops ------------------------------------------------------------------------------------------


def _ops(arguments: argparse.Namespace) -> None:
    families: dict[str, list[str]] = {}
    for name, operation in netledger.operations().items():
        if arguments.pattern in name:
            given = [_attribute(*attribute) for attribute in operation["attributes"]]
            families.setdefault(operation["family"], []).append(f"{name}({', '.join(given)})")
    if not families:
        raise TargetError(f"there is no layer like '{arguments.pattern}'; netledger ops lists all")
    for family, entries in families.items():
        print(family)
        for entry in entries:
            print(textwrap.fill(entry, WIDTH, initial_indent="  ", subsequent_indent="      "))


def _attribute(name: str, _kind: str, default: object, _choices: object) -> str:
    return name if default == "required" else f"{name}={default!r}"
