"""The calls of thop: ``from netledger.compat import thop``, then ``thop.profile(model, (x,))``.

Figures and printed text are those of a release that is named by ``version``: "0.1.1" (the last of
Lyken17's), "0.1.0", "0.0.31", or of its continuation by Ultralytics, "ultralytics-2.2.3" and
"ultralytics-2.0.18". What each counts is in `netledger.conventions.thop` and
`netledger.conventions.ultralytics_thop`.

Other than there, the model is not run, nothing is left in it (thop leaves buffers and, on modules
with several parents, hooks), and nothing is logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn

from netledger.compat._custom_rules import CustomRule, added_by, arguments_in_order
from netledger.conventions import thop, ultralytics_thop
from netledger.conventions.sizes import CONVOLUTIONS, TRANSPOSED
from netledger.errors import NetledgerError
from netledger.torch.recording import ModuleCall, Recording, TensorShape, record

if TYPE_CHECKING:
    from netledger.conventions import Rules
    from netledger.metrics import LayerView

__all__ = ["clever_format", "profile"]

#: By the name of a child: its operations, its parameters, and the same of its children.
LayerInfo = dict[str, tuple[Any, Any, Any]]

LATEST = "ultralytics-2.2.3"


class Release(NamedTuple):
    """How one release goes about it.

    Attributes:
        rules: what one call of a layer counts.
        hooks: the names of the hooks as they are printed, by class of torch.nn.
        layer_info: whether `profile` takes ``ret_layer_info`` and ``report_missing``.
        counts_root: whether the model's own operations are added to those of its children.
    """

    rules: Rules
    hooks: Mapping[str, str]
    layer_info: bool = True
    counts_root: bool = True


RELEASES: dict[str, Release] = {
    "0.1.1": Release(thop.PER_CALL["0.1.1"], thop.HOOKS["0.1.1"]),
    "0.1.0": Release(thop.PER_CALL["0.1.0"], thop.HOOKS["0.1.0"]),
    "0.0.31": Release(thop.PER_CALL["0.0.31"], thop.HOOKS["0.0.31"], False, False),
    LATEST: Release(ultralytics_thop.PER_CALL["2.2.3"], ultralytics_thop.HOOKS["2.2.3"]),
    "ultralytics-2.0.18": Release(
        ultralytics_thop.PER_CALL["2.0.18"], ultralytics_thop.HOOKS["2.0.18"]
    ),
}


def profile(
    model: nn.Module,
    inputs: Sequence[Any],
    custom_ops: Mapping[type, CustomRule] | None = None,
    verbose: bool = True,
    ret_layer_info: bool = False,
    report_missing: bool = False,
    stride: Any = None,
    min_cells: int = 1,
    *,
    version: str = "0.1.1",
) -> tuple[Any, ...]:
    """Multiply-accumulates and parameters of a model, as ``thop.profile`` returns them.

    Args:
        model: what is counted, in evaluation mode.
        inputs: its inputs by position; tensors may be on the meta device.
        custom_ops: functions by class of module, called as ``rule(module, inputs, output)`` for
            each call; they add to ``module.total_ops``. They get meta tensors, and a stand-in for
            the module that shares its parameters.
        verbose: whether the rule of each class is printed.
        ret_layer_info: whether a dict of the children is returned as well: by name a tuple of
            their operations, their parameters, and the dict of their children.
        report_missing: whether classes without a rule are printed as well.
        stride: extrapolation from small images, of ultralytics-2.2.3: refused, as counting the
            images themselves takes no longer.
        min_cells: has no meaning without `stride`.
        version: the release to stand in for.

    Returns:
        (macs, params) or (macs, params, layer info), the numbers as floats.

    Raises:
        NetledgerError: an unknown version, or a model on which the release fails; whatever
            `netledger.count` raises.
    """
    release = _release(version)
    if stride is not None:
        raise NetledgerError(
            "stride extrapolates from small images: give the images themselves, without stride, "
            "which takes no longer here"
        )
    if not release.layer_info and (ret_layer_info or report_missing):
        raise NetledgerError(f"thop {version} takes no ret_layer_info and no report_missing")
    hooks = Hooks(custom_ops or {}, version)
    recording = record(model, (list(inputs),))
    model = recording.module
    if verbose or report_missing:
        _print_rules(model, hooks, version, report_missing or version == "0.0.31")
    if version == LATEST:
        found = _every_call(recording, hooks)
    else:
        found = _by_place(recording, hooks, version)
    return found if ret_layer_info else found[:2]


def clever_format(
    nums: Any, format: str = "%.2f", *, version: str = "0.1.1"
) -> str | tuple[str, ...]:
    """Numbers with the letters T, G, M, K of powers of 1000, and B below them.

    Args:
        nums: a number or several.
        format: how a number is written, in the old style of Python.
        version: the release to stand in for: before ultralytics-2.2.3 a power itself, as 1000, and
            a negative number keep their B.

    Returns:
        A string of one number, a tuple of strings of several.
    """
    _release(version)
    several = nums if isinstance(nums, Iterable) else [nums]
    written = [_with_letter(number, format, version == LATEST) for number in several]
    return written[0] if len(written) == 1 else tuple(written)


def _with_letter(number: Any, format: str, inclusive: bool) -> str:
    for letter, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(number) >= scale if inclusive else number > scale:
            return f"{format % (number / scale)}{letter}"
    return f"{format % number}B"


def _release(version: str) -> Release:
    try:
        return RELEASES[version]
    except KeyError:
        raise NetledgerError(
            f"unknown version {version!r} of thop; there are {', '.join(RELEASES)}"
        ) from None


# -- which rule a class has -----------------------------------------------------------------------


class Hook(NamedTuple):
    """A rule for a class: its printed name, and the function if it is the caller's own."""

    name: str
    custom: CustomRule | None = None


class Hooks:
    """The rule for each class, in one release and with rules of the caller's own."""

    def __init__(self, custom_ops: Mapping[type, CustomRule], version: str) -> None:
        self._custom_ops = custom_ops
        self._version = version
        self._known: dict[type, Hook | None] = {}

    def __call__(self, module: nn.Module) -> Hook | None:
        """The rule for the class of a module."""
        kind = type(module)
        if kind not in self._known:
            self._known[kind] = self._found(kind)
        return self._known[kind]

    def _found(self, kind: type) -> Hook | None:
        """2.2.3 looks at all that a class derives from, the others at the class alone."""
        hooks = RELEASES[self._version].hooks
        for candidate in kind.__mro__ if self._version == LATEST else (kind,):
            if candidate in self._custom_ops:
                rule = self._custom_ops[candidate]
                return Hook(str(getattr(rule, "__qualname__", rule)), rule)
            if candidate.__module__.startswith("torch.nn.modules."):
                name = hooks.get(candidate.__name__)
                if name is not None:
                    return Hook(name)
        return None


def _print_rules(model: nn.Module, hooks: Hooks, version: str, missing: bool) -> None:
    """What thop prints as it visits the modules, the children before their parent."""
    nothing = "zero Macs" if version == LATEST else "zero Macs and zero Params"
    seen: set[type] = set()
    for module in _visits(model):
        kind = type(module)
        if kind in seen:
            continue
        seen.add(kind)
        hook = hooks(module)
        if hook is None:
            if missing:
                warning = f"[WARN] Cannot find rule for {kind}. Treat it as {nothing}."
                # The color ends before the line does in 0.0.31, after it in the others.
                end = "\033[00m\n" if version == "0.0.31" else "\n\033[00m"
                print(f"\033[91m{warning}", end=end)
        elif hook.custom is not None:
            print(f"[INFO] Customize rule {hook.name}() {kind}.")
        else:
            print(f"[INFO] Register {hook.name}() for {kind}.")


def _visits(model: nn.Module) -> dict[nn.Module, int]:
    """The modules as ``apply`` visits them, and how often: once for every place they stand in."""
    visits: dict[nn.Module, int] = {}

    def visit(module: nn.Module) -> None:
        # Those of one parent are visited once, under whatever names they have there.
        for child in {child: None for child in module._modules.values() if child is not None}:
            visit(child)
        visits[module] = visits.get(module, 0) + 1

    visit(model)
    return visits


def _parameters(module: nn.Module) -> float:
    """Elements of all parameters of a module and its children, each once."""
    if module._modules:
        weights: Iterable[Any] = module.parameters()
    else:
        weights = {id(w): w for w in module._parameters.values() if w is not None}.values()
    return float(sum(weight.numel() for weight in weights))


# -- rules of the caller's own --------------------------------------------------------------------


def _custom_operations(call: ModuleCall, rule: CustomRule, version: str) -> float:
    """What a rule of the caller's adds for one call of a module."""
    # Other releases than the latest see nothing of what is given by name.
    given = arguments_in_order(call) if version == LATEST else call.args
    buffers = () if version == LATEST else ("total_ops", "total_params")
    operations, answer = added_by(rule, call, given, buffers)
    if answer is not None and version != LATEST:
        raise NetledgerError(
            f"the rule {rule} returned {answer!r}, which thop would take for the output of "
            f"'{call.path}': it should only add to total_ops"
        )
    return float(operations)


# -- the releases up to ultralytics-2.0.18 --------------------------------------------------------


#: Hooks that do not look at the input, which may be given by name.
_BLIND = ("zero_ops", "count_linear", "count_avgpool")

#: Their children are added up, whatever rule they have.
_CONTAINERS = (nn.Sequential, nn.ModuleList)


def _by_place(recording: Recording, hooks: Hooks, version: str) -> tuple[Any, Any, LayerInfo]:
    """(macs, params, layer info), where a module counts for every place that it stands in.

    These releases put a hook on a module for each of its places, and then add its sum for each.
    """
    release = RELEASES[version]
    model = recording.module
    hooked = {module: count for module, count in _visits(model).items() if hooks(module)}
    operations = dict.fromkeys(hooked, 0.0)
    params = dict.fromkeys(hooked, 0.0)
    calls = _innermost_calls(recording)
    rules = release.rules
    for place in recording.ledger._places:
        view = place.view
        if view.op not in rules.terms or view.origin.kind != "module":
            continue
        call = calls[place.row]
        module = call.module
        hook = hooks(module)
        # A module that is no child of another, as in a list of Python's, is not visited.
        if module in hooked and hook is not None and hook.custom is None:
            operations[module] += float(hooked[module] * rules(_as_given(view, call)))
    for call in recording.calls:
        module = call.module
        hook = hooks(module)
        if module not in hooked or hook is None:
            continue
        if hook.custom is not None:
            operations[module] += hooked[module] * _custom_operations(call, hook.custom, version)
        elif not call.args and hook.name not in _BLIND:
            raise NetledgerError(
                f"thop {version} fails on '{call.path}' ({type(module).__name__}), which is given "
                "its input by name: give it by position"
            )
        if not isinstance(module, _CONTAINERS):
            params[module] = _parameters(module)

    def summed(module: nn.Module) -> tuple[Any, Any, LayerInfo]:
        total_operations: Any = operations.get(module, 0.0) if release.counts_root else 0
        total_params: Any = 0
        info: LayerInfo = {}
        for name, child in module.named_children():
            if child in hooked and not isinstance(child, _CONTAINERS):
                found: tuple[Any, Any, LayerInfo] = operations[child], params[child], {}
            else:
                found = summed(child)
            info[name] = found
            total_operations += found[0]
            total_params += found[1]
        return total_operations, total_params, info

    return summed(model)


_RECURRENT = frozenset(("rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell"))


def _as_given(view: LayerView, call: ModuleCall) -> LayerView:
    """A recurrent layer with the input that it was given: torch adds a batch where it has none."""
    given = call.args[0] if call.args else None
    if view.op in _RECURRENT and isinstance(given, TensorShape):
        return replace(view, inputs=(given.shape, *view.inputs[1:]))
    return view


# -- ultralytics-2.2.3 ----------------------------------------------------------------------------


def _every_call(recording: Recording, hooks_of: Hooks) -> tuple[float, float, LayerInfo]:
    """(macs, params, layer info), where every call of a module counts once."""
    rule = RELEASES[LATEST].rules
    model = recording.module
    hooks = {module: hooks_of(module) for module in model.modules()}
    calls = _innermost_calls(recording)
    operations: dict[nn.Module, float] = {}
    of_functions = 0
    counted: set[ModuleCall] = set()
    for place in recording.ledger._places:
        if place.row >= len(calls):  # what no call has read
            continue
        call, view = calls[place.row], place.view
        if view.origin.kind == "composite":
            call = next(around for around in _lineage(call) if around.path == place.path)
            view = _in_order(view, call)
        if ultralytics_thop.in_function(view) or call.module not in hooks:
            if not any(_counts(hooks.get(around.module)) for around in _lineage(call)):
                of_functions += _of_function(view, call.module in hooks)
            continue
        hook = hooks[call.module]
        if hook is None or hook.custom is not None or not (cost := rule(view)):
            continue
        _check_whole(call, view, call in counted)
        counted.add(call)
        operations[call.module] = operations.get(call.module, 0.0) + float(cost)
    for call in recording.calls:
        hook = hooks.get(call.module)
        if hook is None:
            continue
        if hook.custom is not None:
            added = _custom_operations(call, hook.custom, LATEST)
            operations[call.module] = operations.get(call.module, 0.0) + added
        elif hook.name == "count_multihead_attention" and call not in counted:
            raise NetledgerError(
                f"'{call.path}' ({type(call.module).__name__}) derives from "
                "nn.MultiheadAttention, and what it costs as a whole is not known: give a rule "
                "for the class in custom_ops"
            )
    added_already: set[nn.Module] = set()

    def summed(module: nn.Module) -> tuple[float, LayerInfo]:
        total = operations.get(module, 0.0)
        info: LayerInfo = {}
        for name, child in module.named_children():
            found, below = summed(child)
            info[name] = (found, _parameters(child), below)
            if child not in added_already:
                added_already.add(child)
                total += found
        return total, info

    total = float(sum(operations.values()) + of_functions)
    return total, _parameters(model), summed(model)[1]


def _innermost_calls(recording: Recording) -> list[ModuleCall]:
    """The call that each row was made in."""
    calls: list[ModuleCall] = []
    for call in recording.calls:  # an inner call comes after the call around it
        calls += [call] * (call.rows.stop - len(calls))
        calls[call.rows.start : call.rows.stop] = [call] * len(call.rows)
    return calls


def _lineage(call: ModuleCall | None) -> Iterable[ModuleCall]:
    """A call, and the calls around it."""
    while call is not None:
        yield call
        call = call.parent


def _counts(hook: Hook | None) -> bool:
    """Whether functions are left alone inside a module: its rule is there for all that it does."""
    return hook is not None and (hook.custom is not None or hook.name != "zero_ops")


def _of_function(view: LayerView, is_hooked: bool) -> Any:
    """What a function counts, also that of a module which the model does not know as its own."""
    if is_hooked:
        return RELEASES[LATEST].rules(view)
    return view.macs if view.origin.function in ultralytics_thop.PRODUCT_FUNCTIONS else 0


def _in_order(view: LayerView, call: ModuleCall) -> LayerView:
    """An attention with query, key and value in this order, however they were given."""
    if not call.kwargs or view.op != "multi_head_attention":
        return view
    given = arguments_in_order(call)
    shapes = tuple(value.shape for value in given[:3] if isinstance(value, TensorShape))
    return replace(view, inputs=shapes)


_BY_ELEMENTS = frozenset(("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"))


def _check_whole(call: ModuleCall, view: LayerView, again: bool) -> None:
    """A rule reads what a call was given and returned: those must be the layer's own sizes.

    They are in torch's own classes. One that derives from them may permute the input of a norm, or
    pad that of a convolution, of which only the channels matter.
    """
    if view.origin.kind == "composite" or view.origin.exact:
        return
    given = arguments_in_order(call)
    read = given[0] if given else None
    made = call.output
    if isinstance(made, tuple) and not isinstance(made, TensorShape):
        made = next(iter(made), None)
    if isinstance(read, TensorShape) and isinstance(made, TensorShape) and not again:
        if view.op in _BY_ELEMENTS:
            same = read.elements == prod(view.inputs[0])
        elif view.op == "linear" or view.op in CONVOLUTIONS + TRANSPOSED:
            same = made.shape == view.outputs[0] and len(read.shape) == len(view.inputs[0])
            if view.op in TRANSPOSED:
                same = same and read.shape == view.inputs[0]
        else:
            same = (read.shape, made.shape) == (view.inputs[0], view.outputs[0])
        if same:
            return
    raise NetledgerError(
        f"'{call.path}' ({type(call.module).__name__}) does other things than the class of "
        f"torch.nn that it derives from, so that what thop counts for it is not known: give a "
        "rule for the class in custom_ops"
    )
