# Written by scripts/stubs.py: run `make stubs` after a change to the bindings.
"""
The compiled core: shape propagation and cost accounting over layer graphs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from netledger._pure.plan import Budget
from netledger._pure.query import Constraint, Progress, Restriction
from netledger._results import Cost, Counts, Node, Scope, Variable
from netledger.formulas._layer import Shape
from netledger.quantity import Quantity

class Graph:
    """
    Layers in topological order; every layer is propagated and counted as it is added.
    """

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def add(
        self,
        op: str,
        inputs: Sequence[int],
        attributes: Mapping[str, object] | None = None,
        *,
        weights: Sequence[int | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        scope: int = 0,
        inplace: bool = False,
    ) -> tuple[int, ...]:
        """
        Add a layer: propagate its shapes, count it, return the indices of its outputs.
        """

    def adder(self) -> Callable[..., tuple[Any, ...]]:
        """
        A function that adds layers with positional arguments only (op, inputs, attributes, weights, dtype, scope, inplace) and returns the index and the shape of each output, one after the other.
        """

    def claim(self, tensor: int, node: int) -> None:
        """
        Count a parameter or buffer that no layer reads at this node.
        """

    def count(self) -> Counts:
        """
        The account of every layer, exact totals, and the peak memory.
        """

    def dtype(self, tensor: int) -> str:
        """
        The element type of a tensor.
        """

    def is_claimed(self, tensor: int) -> bool:
        """
        Whether a parameter or buffer is counted at some node already.
        """

    def kind(self, tensor: int) -> str:
        """
        What a tensor is: input, parameter, buffer, constant or activation.
        """

    def node(self, index: int) -> Node:
        """
        The node of that index.
        """

    def node_scopes(self) -> list[int]:
        """
        The scope of every node.
        """

    def output(self, *tensors: int) -> None:
        """
        Mark tensors as outputs of the model: they stay alive until the end.
        """

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """
        Enter one call of a module, inside another scope; 0 is the root.
        """

    def scope_at(self, index: int) -> Scope:
        """
        The scope of that index.
        """

    def shape(self, tensor: int) -> Shape:
        """
        The sizes of a tensor.
        """

    def tensor(
        self,
        kind: str,
        shape: Sequence[int],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """
        Add a tensor that no layer makes and return its index.
        """

    def tensor_name(self, tensor: int) -> str:
        """
        The name a tensor was given.
        """

    def tensors(self, given: Sequence[tuple[str, Sequence[int], str, str, bool]]) -> list[int]:
        """
        Add many tensors at once: (kind, shape, dtype, name, trainable) of each.
        """

    def unclaimed(self) -> list[int]:
        """
        The parameters and buffers that no node counts.
        """

    @property
    def outputs(self) -> tuple[int, ...]:
        """
        The tensors marked as outputs.
        """

class Space:
    """
    A graph with variables: its layers may be there or not, and count several times.
    """

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def account(self, index: int) -> dict[str, Any]:
        """
        What one presence of a layer costs.
        """

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        attributes: Mapping[str, object] | None = None,
        *,
        weights: Sequence[int | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        scope: int = 0,
        inplace: bool = False,
    ) -> tuple[int, ...]:
        """
        Add a layer: propagate its shapes, count it, return the indices of its outputs.
        """

    def compile(self, metrics: Sequence[str]) -> Plan:
        """
        The tables of these metrics, for sweeps.
        """

    def dtype(self, tensor: int) -> str:
        """
        The element type of a tensor.
        """

    def enter(self, condition: Any, times: Any = 1) -> None:
        """
        What follows is present where the condition is not 0, and counts `times` times.
        """

    def evaluate(
        self,
        quantities: Sequence[Any],
        codes: npt.NDArray[Any],
        free: npt.NDArray[np.int64] | None = None,
    ) -> list[npt.NDArray[np.int64]]:
        """
        Values of quantities for many configurations; the lowest integer where there is none.
        """

    def expression(self, opcode: str, *operands: Any) -> Any:
        """
        The result of an operation: an int if it is the same for all configurations.
        """

    def free(self, name: str, minimum: int, maximum: int) -> Quantity:
        """
        Declare an integer that is given by value.
        """

    def kind(self, tensor: int) -> str:
        """
        What a tensor is: input, parameter, buffer, constant or activation.
        """

    def leave(self) -> None:
        """
        End what `enter` began.
        """

    def link(self, variables: Sequence[int]) -> None:
        """
        Make variables one digit, if they have few enough combinations.
        """

    def lookup(self, index: Any, values: Sequence[int]) -> Any:
        """
        values[index].
        """

    def merge(self, index: Any, tensors: Sequence[int]) -> int:
        """
        The tensor of that number in the list; no layer, no cost.
        """

    def metric(self, name: str, terms: Sequence[tuple[int, Any]]) -> None:
        """
        Define a metric by what each layer (or, of no layer, -1) adds to it.
        """

    def node(self, index: int) -> Node:
        """
        The layer of that index.
        """

    def output(self, *tensors: int) -> None:
        """
        Mark tensors as outputs of the model.
        """

    def real_metric(self, name: str, terms: Sequence[tuple[int, Any, Sequence[float]]]) -> None:
        """
        Define a metric of real numbers by tables: (layer or -1, index, values).
        """

    def require(self, condition: Any, text: str) -> None:
        """
        Refuse configurations where it does not hold.
        """

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """
        Enter one call of a module, inside another scope; 0 is the root.
        """

    def scope_at(self, index: int) -> Scope:
        """
        The scope of that index.
        """

    def shape(self, tensor: int) -> tuple[Any, ...]:
        """
        The sizes of a tensor.
        """

    def support(self, quantity: Any) -> tuple[int, ...]:
        """
        The variables that a quantity depends on.
        """

    def tensor(
        self,
        kind: str,
        shape: Sequence[Any],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """
        Add a tensor that no layer makes and return its index.
        """

    def variable(self, name: str, size: int) -> Quantity:
        """
        Declare a choice among `size` and return its code; active where it is declared.
        """

    @property
    def steps(self) -> list[str]:
        """
        What may refuse a configuration, in order.
        """

    @property
    def variables(self) -> list[Variable]:
        """
        The variables, in order.
        """

class Source:
    """
    Configurations, one after the other.
    """

    def __len__(self) -> int: ...

class Plan:
    """
    A space made ready to count some metrics.
    """

    def canonical(self, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """
        Codes with inactive variables at code 0.
        """

    def codes_source(self, codes: npt.NDArray[Any]) -> Source:
        """
        The configurations of a matrix of codes.
        """

    def columns(
        self, source: Source, threads: int = 1, progress: Progress | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """
        Costs of every configuration of a source.
        """

    def cost(self, codes: Any) -> dict[str, Any] | None:
        """
        Costs of one configuration, None if it is refused.
        """

    def crossover(self, a: npt.NDArray[Any], b: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
        """
        Codes that take every variable from one of two parents.
        """

    def enumerate(self, start: Sequence[int], count: int) -> npt.NDArray[Any]:
        """
        Codes of `count` positions from one on, which is given by its digits.
        """

    def expected(
        self,
        metric: str,
        probabilities: npt.NDArray[np.float64],
        gradient: bool = False,
        threads: int = 1,
        check: bool = True,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        """
        Expected costs under independent choices, and their gradients.
        """

    def explain(self) -> dict[str, Any]:
        """
        What became of the space.
        """

    def extremes(
        self,
        source: Source,
        metrics: Sequence[str],
        budgets: Sequence[Budget] = (),
        threads: int = 1,
        progress: Progress | None = None,
    ) -> dict[str, tuple[Any, int, Any, int]]:
        """
        Of every metric least value, its position, greatest value, its position.
        """

    def filter(
        self,
        source: Source,
        budgets: Sequence[Budget],
        limit: int | None = None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> npt.NDArray[np.int64]:
        """
        Positions of the first `limit` configurations within the budgets.
        """

    def hash(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
        """
        A number for every network.
        """

    def histogram(
        self,
        source: Source,
        metric: str,
        edges: npt.NDArray[Any],
        budgets: Sequence[Budget] = (),
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], int, int, int]:
        """
        How many configurations lie in each bin; below; at or above; refused.
        """

    def mutate(
        self,
        codes: npt.NDArray[Any],
        seed: int,
        tables: Sequence[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]],
    ) -> npt.NDArray[Any]:
        """
        Codes of which some are drawn anew; `tables` pick which, for every group.
        """

    def pack(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """
        Codes as one number for each digit.
        """

    def packed_source(self, packed: npt.NDArray[Any]) -> Source:
        """
        The configurations of packed codes.
        """

    def pareto(
        self,
        source: Source,
        metrics: Sequence[str],
        maximise: Sequence[bool],
        budgets: Sequence[Budget] = (),
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
        """
        Positions and values of what nothing is better than.
        """

    def query(
        self,
        metrics: Sequence[str],
        law: str,
        restrictions: Sequence[Restriction] = (),
        constraints: Sequence[Constraint] = (),
        memory: int = 2147483648,
    ) -> Query:
        """
        A question about all configurations.
        """

    def random(self, n: int, seed: int, law: str, start: int = 0) -> npt.NDArray[Any]:
        """
        Candidates `start` to `start + n` of a random sequence.
        """

    def random_source(self, n: int, seed: int, law: str, start: int = 0) -> Source:
        """
        Random configurations, as `random` makes them.
        """

    def range_source(self, start: Sequence[int], count: int) -> Source:
        """
        The configurations of positions one after the other.
        """

    def sweep(
        self, codes: npt.NDArray[Any], threads: int = 1, progress: Progress | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """
        Costs of many configurations: a column for every metric, and the refusals.
        """

    def sweep_packed(
        self, packed: npt.NDArray[Any], threads: int = 1, progress: Progress | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """
        The same of packed codes.
        """

    def sweep_values(
        self,
        columns: Mapping[str, npt.NDArray[np.int64]],
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """
        The same of columns: codes of choices, values of free sizes, by name.
        """

    def top_k(
        self,
        source: Source,
        metric: str,
        k: int,
        largest: bool = False,
        budgets: Sequence[Budget] = (),
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """
        Positions and values of the least (or greatest) k.
        """

    def unique(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """
        Where each network stands for the first time.
        """

    def unpack(self, packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """
        Packed codes as codes.
        """

    @property
    def code_dtype(self) -> npt.DTypeLike:
        """
        The smallest type that holds every code.
        """

    @property
    def digits(self) -> list[tuple[tuple[int, ...], int]]:
        """
        Variables and size of every digit.
        """

    @property
    def exact_digits(self) -> bool:
        """
        Whether the digits spell every accepted network exactly once, and nothing else.
        """

    @property
    def groups(self) -> list[tuple[int, ...]]:
        """
        The variables that `mutate` draws together.
        """

    @property
    def metrics(self) -> list[str]: ...
    @property
    def real_metrics(self) -> list[str]: ...

class Query:
    """
    Exact answers about all configurations of a space.
    """

    def best(
        self,
        largest: bool,
        low: int | None,
        high: int | None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[int, int, npt.NDArray[Any]] | None:
        """
        The least or greatest other cost within limits of the first: it, the cost, codes; or None.
        """

    def bins(
        self, start: int, width: int, count: int, threads: int = 1, progress: Progress | None = None
    ) -> list[int]:
        """
        How many lie in each bin.
        """

    def cumulative(
        self, limits: Sequence[int], threads: int = 1, progress: Progress | None = None
    ) -> list[int]:
        """
        How many cost at most so much, for each limit.
        """

    def distribution(
        self, threads: int = 1, progress: Progress | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """
        Costs and how many have each; or where costs start, their step, and how many.
        """

    def explain(self) -> dict[str, Any]:
        """
        How the question is answered, and what that needs.
        """

    def extreme(self, largest: bool) -> tuple[int, npt.NDArray[Any]] | None:
        """
        The least or greatest cost and codes that have it, or None.
        """

    def find(
        self, value: int, threads: int = 1, progress: Progress | None = None
    ) -> npt.NDArray[Any] | None:
        """
        Codes of exactly this cost, or None.
        """

    def joint(
        self,
        low: int | None,
        high: int | None,
        other_low: int | None,
        other_high: int | None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> int:
        """
        How many lie within both limits.
        """

    def marginals(
        self, low: int | None, high: int | None, threads: int = 1, progress: Progress | None = None
    ) -> list[list[int]]:
        """
        Of every variable how often each code is active within limits, and how often none is.
        """

    def moments(self) -> tuple[int, int, int]:
        """
        Number, sum and sum of squares of all costs.
        """

    def nearest(
        self, target: int, threads: int = 1, progress: Progress | None = None
    ) -> tuple[int | None, int | None]:
        """
        The greatest cost that is at most the target, and the least that is at least; or None.
        """

    def pareto(
        self,
        maximise: bool,
        maximise_other: bool,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
        """
        Both costs and the codes of the exact front.
        """

    def prepare(self, threads: int = 1, progress: Progress | None = None) -> None:
        """
        Makes the tables that answer at once.
        """

    def restore(self, tables: Mapping[str, npt.NDArray[Any]]) -> None:
        """
        Takes what `tables` gave.
        """

    def sample(
        self,
        n: int,
        seed: int,
        low: int | None,
        high: int | None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> npt.NDArray[Any]:
        """
        Codes drawn uniformly from those whose cost lies within limits.
        """

    def tables(self) -> dict[str, npt.NDArray[Any]]:
        """
        What `prepare` made.
        """

    @property
    def answers_at_once(self) -> bool:
        """
        Whether counts are looked up: after `prepare`, `distribution`, or a second count.
        """

    @property
    def bytes(self) -> int:
        """
        The memory of tables that are kept.
        """

    @property
    def fingerprint(self) -> int:
        """
        A number that is equal for equal questions.
        """

    @property
    def prepared(self) -> bool:
        """
        Whether the tables are made that answer at once.
        """

    @property
    def size(self) -> int:
        """
        How many configurations there are.
        """

def build_config() -> dict[str, str]:
    """
    How this implementation was built.
    """

def evaluate_layer(op: str, inputs: Sequence[Sequence[Any]], attributes: Mapping[str, Any]) -> Cost:
    """
    The cost of one layer that owns its weights; sizes and attributes may be arrays.
    """

def operations() -> dict[str, dict[str, Any]]:
    """
    Every op by name: family, inputs, flags, and its attributes with kind, default, words.
    """
