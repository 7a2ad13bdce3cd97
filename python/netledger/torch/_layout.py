"""Where the choices of a supernet are, and under which conditions its modules run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import nn

from netledger.errors import SpaceError
from netledger.torch._inputs import Input
from netledger.torch._values import Choice, Expression, Variable, current, values_of, variables_of
from netledger.torch.mutables import Alternatives, LayerChoice, Repeat

__all__ = ["Key", "Layout", "choices", "input_sizes", "is_supernet", "running", "set_choices"]


def running(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module that the current choices run, once, with its first path, parents first."""
    seen = {id(module)}
    unchosen: set[tuple[int, str]] = set()
    pending = [("", module)]
    while pending:
        path, at = pending.pop()
        yield path, at
        if isinstance(at, Alternatives):
            unchosen.update((id(container), name) for container, name in at.unchosen())
        children = []
        for name, child in at._modules.items():
            if child is not None and id(child) not in seen and (id(at), name) not in unchosen:
                seen.add(id(child))
                children.append((f"{path}.{name}" if path else name, child))
        pending.extend(reversed(children))


class Key(NamedTuple):
    """A condition under which a module runs: a candidate is chosen, or a block is reached.

    Attributes:
        kind: "candidate" or "block"; or "size", a condition on sizes.
        selector: the name of the variable; for a block, what identifies the depth.
        number: the code of the candidate, or the index of the block.
    """

    kind: str
    selector: Any
    number: int


class Place(NamedTuple):
    """A variable: where it is held, and under which conditions it matters."""

    path: str
    keys: tuple[Key, ...]
    variables: list[Variable]


class Layout:
    """Where the choices of a supernet are.

    Attributes:
        variables: by name, in order of appearance.
        places: of a module, by its identity, the conditions of each of its places.
        walked: every module that runs for some choice, with its first path.
        depths: the depth of a repeat, by what identifies it.
    """

    def __init__(self, module: nn.Module, given: Any = ()) -> None:
        self.variables: dict[str, Place] = {}
        self.places: dict[int, list[tuple[Key, ...]]] = {}
        self.walked: list[tuple[str, nn.Module]] = []
        self.depths: dict[Any, Any] = {}
        # Depths that are no choices but follow from them, numbered.
        self._unnamed: dict[int, int] = {}
        for variable in variables_of(given):
            self._note(variable, "the inputs", ())
        seen: set[tuple[int, tuple[Key, ...]]] = set()
        pending: list[tuple[str, nn.Module, tuple[Key, ...]]] = [("", module, ())]
        while pending:
            path, at, keys = pending.pop()
            if (id(at), keys) in seen:
                continue
            seen.add((id(at), keys))
            if id(at) not in self.places:
                self.walked.append((path, at))
            self.places.setdefault(id(at), []).append(keys)
            for variable in variables_of(vars(at)):
                self._note(variable, path or type(module).__name__, keys)
            pending.extend(reversed(list(self._children(path, at, keys))))

    def _children(
        self, path: str, at: nn.Module, keys: tuple[Key, ...]
    ) -> Iterator[tuple[str, nn.Module, tuple[Key, ...]]]:
        for name, child in at._modules.items():
            if child is None:
                continue
            inner = f"{path}.{name}" if path else name
            if isinstance(at, LayerChoice) and child is at.candidates:
                for code, candidate in enumerate(at.labelled()):
                    key = Key("candidate", at.choice.name, code)
                    yield f"{inner}.{at.choice.values[code]}", candidate, (*keys, key)
            elif isinstance(at, Repeat) and child is at.blocks:
                yield from self._blocks(inner, at, keys)
            else:
                yield inner, child, keys

    def _blocks(
        self, path: str, at: Repeat, keys: tuple[Key, ...]
    ) -> Iterator[tuple[str, nn.Module, tuple[Key, ...]]]:
        for index in range(values_of(at.depth)[-1]):
            yield f"{path}.{index}", at.blocks[index], (*keys, *self.block_keys(at, index))

    def block_keys(self, at: Repeat, index: int) -> tuple[Key, ...]:
        """The conditions under which a block is reached: its own, after those of earlier blocks."""
        depth = at.depth
        least = values_of(depth)[0]
        if not isinstance(depth, Expression):
            return ()
        if isinstance(depth, Choice):
            selector: Any = depth.name
        else:
            selector = self._unnamed.setdefault(id(depth.expression), len(self._unnamed))
        self.depths[selector] = depth
        return tuple(Key("block", selector, number) for number in range(least, index + 1))

    def _note(self, variable: Variable, path: str, keys: tuple[Key, ...]) -> None:
        known = self.variables.get(variable.name)
        if known is None:
            self.variables[variable.name] = Place(path, keys, [variable])
            return
        first = known.variables[0]
        if _typed(first.values) != _typed(variable.values):
            raise SpaceError(
                f"choice '{variable.name}' has the values {list(first.values)} in '{known.path}', "
                f"but {list(variable.values)} in '{path}': give one of them another name"
            )
        if all(variable is not other for other in known.variables):
            known.variables.append(variable)
        self.variables[variable.name] = known._replace(keys=_common(known.keys, keys))

    def require_agreement(self) -> None:
        """Refuse choices of one name that are not the same now."""
        for name, place in self.variables.items():
            values = {variable.code: variable.value for variable in place.variables}
            if len(values) > 1:
                one, other, *_ = values.values()
                raise SpaceError(
                    f"choice '{name}' is {one!r} in one place and {other!r} in another, but one "
                    f"name is one choice: set_choices(module, {{{name!r}: ...}}) sets all of them"
                )

    def holds(self, key: Key) -> bool:
        """Whether a condition holds for the current choices."""
        if key.kind == "candidate":
            return self.variables[key.selector].variables[0].code == key.number
        return bool(current(self.depths[key.selector]) > key.number)

    def set(self, values: Mapping[str, Any]) -> None:
        """Choose values by name."""
        codes = {}
        for name, value in values.items():
            if name not in self.variables:
                known = ", ".join(self.variables) or "none"
                raise SpaceError(f"the module has no choice '{name}'; its choices are {known}")
            codes[name] = self.variables[name].variables[0].position(value)
        for name, code in codes.items():
            for variable in self.variables[name].variables:
                variable.code = code

    def values(self, *, inactive: bool = False) -> dict[str, Any]:
        """The current values by name, of the variables that matter now or of all."""
        return {
            name: place.variables[0].value
            for name, place in self.variables.items()
            if inactive or all(map(self.holds, place.keys))
        }


def _typed(values: tuple[Any, ...]) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in values]


def _common(left: tuple[Key, ...], right: tuple[Key, ...]) -> tuple[Key, ...]:
    """The conditions that both places have, in order."""
    return tuple(key for key in left if key in right)


def input_sizes(given: Any) -> list[Any]:
    """The sizes of inputs that are given by shape, choices among them."""
    if isinstance(given, Input):
        return list(given.shape)
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        return [size for entry in given for size in input_sizes(entry)]
    return []


def is_supernet(module: nn.Module, given: Any = ()) -> bool:
    """Whether a module, or the sizes of its inputs, leave something to choose."""
    if variables_of(input_sizes(given)):
        return True
    return any(variables_of(vars(at)) for at in module.modules())


def set_choices(module: nn.Module, values: Mapping[str, Any]) -> None:
    """Choose values of a supernet's choices, by name; all others stay as they are.

    Args:
        module: the supernet.
        values: the value of a `Choice`, the label of a `LayerChoice`, the position of an
            `InputChoice`.

    Raises:
        SpaceError: an unknown name or value; nothing is changed then.
    """
    Layout(module).set(values)


def choices(module: nn.Module, *, inactive: bool = False) -> dict[str, Any]:
    """The current values of a supernet's choices, by name.

    Args:
        module: the supernet.
        inactive: whether those that make no difference now, inside of a candidate that is not
            chosen or a block that is not reached, are listed too.

    Returns:
        A configuration as ``space.cost`` and `set_choices` take it.
    """
    return Layout(module).values(inactive=inactive)
