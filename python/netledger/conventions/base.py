"""A convention: a rule for every metric that its authors report.

A rule is a function of one layer (`netledger.metrics.LayerView`). `Rules` makes one out of a table:
for every op a `Term`, which says in words what is counted, and a function that counts it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["NOTHING", "Convention", "Rule", "Rules", "Term", "convention_of", "conventions"]

#: What a layer adds to a metric: an int or a quantity.
Rule: TypeAlias = "Callable[[LayerView], Any]"

#: The conventions that come with the project, with their versions, the usual one first. Each is a
#: module of this package, with a ``CONVENTION``, or ``CONVENTIONS`` by version.
VERSIONS: dict[str, tuple[str, ...]] = {
    "textbook": (),
    "macs": (),
    "macs_with_bias": (),
    "thop": ("0.1.1", "0.1.0", "0.0.31"),
    "ultralytics_thop": ("2.2.3", "2.0.18"),
    "ptflops": ("0.7.5", "0.6.9"),
    "ptflops_aten": ("0.7.5",),
    "fvcore": (),
    "mmengine": (),
    "flop_counter": ("meta", "cpu", "cpu_grad"),
    "torchprofile": (),
    "torchinfo": (),
    "torchstat": (),
    "calflops": (),
    "deepspeed": (),
    "onnx_tool": (),
    "paddle": (),
    "ofa": (),
    "xautodl": (),
    "pycls": (),
    "timm": (),
    "autoformer": (),
}


class Term(NamedTuple):
    """What is counted of a layer.

    Attributes:
        text: the same in words, to follow "counts": ``"2 per element"``.
        cost: the number for one layer.
    """

    text: str
    cost: Rule


def _nothing(layer: LayerView) -> int:
    return 0


#: What tools do with an op that they have no rule for.
NOTHING = Term("nothing", _nothing)


def _as_term(term: Term | tuple[str, Rule]) -> Term:
    return term if isinstance(term, Term) else Term(*term)


class Rules:
    """A rule made of a table: for every op, or several with the same rule, a term.

    >>> from netledger.conventions import Rules
    >>> flops = Rules({("conv2d", "linear"): ("2 per multiply-accumulate", lambda x: 2 * x.macs)})

    Attributes:
        terms: the term of every op that has one.
        otherwise: the term of all others.
        adapted: what becomes of a layer's term where the op does not tell all, as where a tool only
            sees modules; None if nothing does.
        composites: whether layers of origin "composite" are shown to this rule: modules that are
            counted as a whole although their parts are layers too.
    """

    def __init__(
        self,
        terms: Mapping[str | tuple[str, ...], Term | tuple[str, Rule]],
        *,
        otherwise: Term | tuple[str, Rule] = NOTHING,
        adapted: Callable[[LayerView, Term], Term] | None = None,
        composites: bool = False,
    ) -> None:
        self.terms = {
            op: _as_term(term)
            for ops, term in terms.items()
            for op in ((ops,) if isinstance(ops, str) else ops)
        }
        self.otherwise = _as_term(otherwise)
        self.adapted = adapted
        self.composites = composites

    def term(self, layer: LayerView) -> Term:
        """What is counted of this layer."""
        term = self.terms.get(layer.op, self.otherwise)
        return term if self.adapted is None else self.adapted(layer, term)

    def __call__(self, layer: LayerView) -> Any:
        """The cost of a layer: an int, or a quantity of a space."""
        return self.term(layer).cost(layer)


@dataclass(frozen=True)
class Convention:
    """What metrics mean to some authors.

    Attributes:
        name: its name, as in ``"flops@ofa"``.
        rules: for every metric a function of a `netledger.metrics.LayerView` that returns what the
            layer adds, as an int or a quantity, `Rules` among them; or the name of a metric of the
            ``textbook`` convention that it is the same as. ``"flops"`` is the figure that the
            authors print, whatever they call it.
        figure: what the authors call that figure, as ``"MACs"``.
    """

    name: str
    rules: Mapping[str, Rule | str] = field(hash=False)
    figure: str = "FLOPs"

    def rule(self, metric: str) -> Rule | str:
        """The rule of a metric; a `SpaceError` lists those that there are."""
        try:
            return self.rules[metric]
        except KeyError:
            raise SpaceError(
                f"convention '{self.name}' does not define '{metric}'; it defines "
                f"{', '.join(self.rules)}"
            ) from None


def conventions() -> tuple[str, ...]:
    """The names of the conventions that come with the project, each version by itself."""
    return tuple(
        f"{name}@{version}" if version else name
        for name, versions in VERSIONS.items()
        for version in versions or ("",)
    )


def convention_of(convention: str | Convention) -> Convention:
    """A convention by its name, or as it is.

    Args:
        convention: a convention, its name, or name and version, as ``"thop@0.0.31"``; without the
            version it is the usual one.

    Raises:
        SpaceError: there is none of that name or version.
    """
    if isinstance(convention, Convention):
        return convention
    name, _, version = convention.partition("@")
    if name not in VERSIONS:
        raise SpaceError(f"unknown convention {convention!r}; there are {', '.join(VERSIONS)}")
    versions = VERSIONS[name]
    if version and version not in versions:
        known = ", ".join(versions) or "none"
        raise SpaceError(f"convention '{name}' has no version {version!r}; there are {known}")
    module = importlib.import_module(f"netledger.conventions.{name}")
    found: Convention = (
        module.CONVENTIONS[version or versions[0]] if versions else module.CONVENTION
    )
    return found
