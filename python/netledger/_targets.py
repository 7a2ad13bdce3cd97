"""Find and build the model that the command line names.

A target is ``file.py:factory``, ``package.module:factory``, ``torchvision:NAME``, ``timm:NAME`` or
``transformers:CONFIG``. Nothing is downloaded: models are built without their trained weights.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import netledger
from netledger.errors import NetledgerError, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from types import ModuleType

    import torch

T = TypeVar("T")

FORMS = (
    "file.py:factory, package.module:factory, torchvision:NAME, timm:NAME or transformers:CONFIG"
)
#: Sequence length of the default input of a language model.
DEFAULT_LENGTH = 128


@dataclass(frozen=True)
class InputShape:
    """One input of a model.

    Attributes:
        shape: its sizes.
        dtype: its element type; None for that of the model, or int64 if it has values.
        name: the argument it is, "" if it is known by its position.
        fill: "ones" or "zeros" if the model may read its values, which are not known otherwise.
    """

    shape: tuple[int, ...]
    dtype: str | None = None
    name: str = ""
    fill: str | None = None

    def __str__(self) -> str:
        """As ``mask 1x128 int64 ones``."""
        sizes = "x".join(map(str, self.shape))
        return " ".join(part for part in (self.name, sizes, self.dtype, self.fill) if part)

    def argument(self) -> object:
        """What `netledger.count` takes for it."""
        if self.fill is not None:
            import torch

            make = torch.ones if self.fill == "ones" else torch.zeros
            return make(self.shape, dtype=_torch_dtype(self.dtype or "int64"), device="cpu")
        if self.dtype is None:
            return self.shape
        return netledger.Input(self.shape, dtype=self.dtype)


@dataclass(frozen=True)
class Target:
    """A model that was found.

    Attributes:
        text: how the command line names it.
        make: builds it; what it raises is not translated yet.
        default_inputs: inputs that are usual for the built model, none if it has no usual ones.
        fixed: whether `make` returns one object that exists already.
        file: where it is written, to locate errors in it.
    """

    text: str
    make: Callable[[], object]
    default_inputs: Callable[[Any], list[InputShape]]
    fixed: bool = False
    file: str = ""

    def build(self, *, meta: bool) -> object:
        """The model, on the meta device (shapes without storage) or where its own code puts it."""
        with _meta_device() if meta else nullcontext():
            try:
                return with_torchvision(self.make)
            except NetledgerError:
                raise
            except (Exception, SystemExit) as error:
                problem = _explain(error, self.file)
                raise TargetError(f"cannot build {self.text}: {problem}") from error

    @property
    def builds_on_meta(self) -> bool:
        """Whether it makes sense to ask for the meta device: a new model, and of torch."""
        return not self.fixed and "torch" in sys.modules


def _torch_dtype(name: str) -> torch.dtype:
    import torch

    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise NetledgerError(f"torch has no dtype {name!r}")
    return found


def _meta_device() -> AbstractContextManager[object]:
    import torch

    return torch.device("meta")


def resolve(text: str) -> Target:
    """The model that a target names, or a `TargetError` that says what there is instead."""
    library, _, name = text.partition(":")
    if name and library in _LIBRARIES:
        return _LIBRARIES[library](text, name)
    place, _, name = text.rpartition(":")
    if not place or not name:
        if text.endswith(".py"):
            names = ", ".join(_factories(_load_file(Path(text)))) or "none"
            raise TargetError(f"'{text}' names no factory; write {text}:NAME, with one of: {names}")
        raise TargetError(f"'{text}' is not a target; a target is {FORMS}")
    is_file = place.endswith(".py") or "/" in place or "\\" in place
    module = _load_file(Path(place)) if is_file else _load_module(place)
    file = place if is_file else getattr(module, "__file__", None) or ""
    return _from_module(text, module, file, place, name)


# -- the user's own code --------------------------------------------------------------------------


def _from_module(text: str, module: ModuleType, file: str, place: str, name: str) -> Target:
    try:
        found = functools.reduce(getattr, name.split("."), module)
    except AttributeError:
        raise TargetError(
            f"'{place}' has no '{name}'; {_instead(name, _factories(module))}"
        ) from None
    if _is_countable(found):
        return Target(text, lambda: found, _no_inputs, fixed=True, file=file)
    if not callable(found):
        raise TargetError(
            f"'{text}' is {_kind_of(found)}; a target names a torch module, a netledger Graph or"
            " Ledger, or a function that returns one"
        )
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise TargetError(
            f"'{text}' cannot be called without arguments ({error}); name a function that can"
        ) from None
    except ValueError:  # no signature to look at: calling it will tell
        pass

    def make() -> object:
        made = found()
        if not _is_countable(made):
            raise TargetError(
                f"'{text}' returned {_kind_of(made)}, not a torch module, a netledger Graph or"
                " Ledger"
            )
        return made

    return Target(text, make, _no_inputs, file=file)


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        there = [str(path.with_name(file.name)) for file in path.parent.glob("*.py")]
        raise TargetError(f"there is no file '{path}'; {_instead(str(path), there)}")
    name = f"netledger_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"'{path}' is not a Python file")
    loader = spec.loader
    _look_in(path.resolve().parent)

    def load() -> ModuleType:
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loader.exec_module(module)
        return module

    return _imported(str(path), load, str(path))


def _load_module(name: str) -> ModuleType:
    _look_in(Path.cwd())
    try:
        return _imported(name, lambda: importlib.import_module(name))
    except TargetError as error:
        missing = error.__cause__
        if not isinstance(missing, ModuleNotFoundError) or not missing.name:
            raise
        if not f"{name}.".startswith(f"{missing.name}."):
            raise
    parent, _, leaf = missing.name.rpartition(".")
    paths = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    prefix = f"{parent}." if parent else ""
    siblings = [prefix + found.name for found in pkgutil.iter_modules(paths)]
    raise TargetError(
        f"there is no module '{missing.name}'; {_instead(prefix + leaf, siblings, listed=0)}"
    )


def _imported(what: str, load: Callable[[], T], file: str = "") -> T:
    try:
        return with_torchvision(load)
    except (Exception, SystemExit) as error:
        raise TargetError(f"cannot import {what}: {_explain(error, file)}") from error


def _look_in(folder: Path) -> None:
    """Let the user's code import what stands beside it, as `python file.py` would."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _factories(module: ModuleType) -> list[str]:
    """What a target can name in a module: first what is written there, else what it imports."""
    public = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (_is_countable(value) or (callable(value) and not isinstance(value, type(Any))))
    }
    own = [
        name
        for name, value in public.items()
        if _is_countable(value) or getattr(value, "__module__", "") == module.__name__
    ]
    return own or list(public)


def _is_countable(value: object) -> bool:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.nn.Module):
        return True
    return isinstance(value, netledger.Graph | netledger.Ledger)


def _no_inputs(model: object) -> list[InputShape]:
    return []


# -- libraries of models --------------------------------------------------------------------------


def _torchvision(text: str, name: str) -> Target:
    models = _library("torchvision.models")
    if name not in models.list_models():
        raise TargetError(
            f"torchvision has no model '{name}'; {_instead(name, models.list_models())}"
        )
    builder = models.get_model_builder(name)
    # Models with a backbone load that one's trained weights unless told not to.
    accepted = inspect.signature(builder).parameters
    options = {key: None for key in ("weights", "weights_backbone") if key in accepted}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False  # type: ignore[assignment]  # it would be slow, with a warning
    # A partial of a class: it tells the kind of model, and the size of its images.
    transforms = next(iter(models.get_model_weights(name))).transforms

    def inputs(model: Any) -> list[InputShape]:
        kind = getattr(getattr(transforms, "func", None), "__name__", "")
        if kind not in ("ImageClassification", "SemanticSegmentation"):
            return []
        size = "crop_size" if kind == "ImageClassification" else "resize_size"
        side = getattr(model, "image_size", None) or transforms.keywords[size]
        return [InputShape((1, 3, side, side))]

    return Target(text, functools.partial(builder, **options), inputs)


def _timm(text: str, name: str) -> Target:
    timm = _library("timm")
    if not timm.is_model(name):
        raise TargetError(f"timm has no model '{name}'; {_instead(name, timm.list_models())}")

    def inputs(model: Any) -> list[InputShape]:
        size = model.pretrained_cfg.get("input_size")
        return [InputShape((1, *size))] if size else []

    return Target(text, functools.partial(timm.create_model, name, pretrained=False), inputs)


def _transformers(text: str, name: str) -> Target:
    transformers = _library("transformers")
    if Path(name).exists() or name.endswith(".json") or "/" in name:
        return Target(text, functools.partial(_local_transformer, name), _transformer_inputs)
    names = dir(transformers)
    found: Any = None
    if name in names:  # its modules are imported as they are first asked for
        found = _imported(text, lambda: getattr(transformers, name))
    if isinstance(found, type) and issubclass(found, transformers.PretrainedConfig):

        def make() -> object:
            return transformers.AutoModel.from_config(found(), trust_remote_code=False)

    elif _is_module_class(found) and hasattr(found, "config_class"):

        def make() -> object:
            return found(found.config_class())

    else:
        configs = [known for known in names if known.endswith("Config")]
        raise TargetError(
            f"transformers has no config '{name}' and there is no such file;"
            f" {_instead(name, configs, listed=0)}"
        )
    return Target(text, make, _transformer_inputs)


def _local_transformer(path: str) -> object:
    """The model that a config.json describes: of the class it names, else the bare model."""
    transformers = _library("transformers")
    if not Path(path).exists():
        raise TargetError(f"there is no file '{path}'")
    config = transformers.AutoConfig.from_pretrained(
        path, local_files_only=True, trust_remote_code=False
    )
    for name in config.architectures or ():
        if hasattr(transformers, name):
            return getattr(transformers, name)._from_config(config)
    return transformers.AutoModel.from_config(config, trust_remote_code=False)


def _transformer_inputs(model: Any) -> list[InputShape]:
    """Token ids with their mask, or an image, as the config says; none for other kinds."""
    config = model.config
    accepted = inspect.signature(model.forward).parameters
    if model.main_input_name == "pixel_values":
        config = getattr(config, "vision_config", config)
        size = getattr(config, "image_size", None)
        sides = (size, size) if isinstance(size, int) else tuple(size or ())
        channels = getattr(config, "num_channels", 3)
        return [InputShape((1, channels, *sides), None, "pixel_values")] if sides else []
    if model.main_input_name != "input_ids":
        return []
    longest = getattr(config, "max_position_embeddings", None)
    shape = (1, min(longest, DEFAULT_LENGTH) if isinstance(longest, int) else DEFAULT_LENGTH)
    # Masks are looked at to see whether they hide anything.
    inputs = [InputShape(shape, "int64", "input_ids")]
    inputs.append(InputShape(shape, "int64", "attention_mask", "ones"))
    if getattr(config, "is_encoder_decoder", False):
        inputs.append(InputShape(shape, "int64", "decoder_input_ids"))
    return [given for given in inputs if given.name in accepted]


_LIBRARIES: Mapping[str, Callable[[str, str], Target]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
}


def _is_module_class(value: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, type) and issubclass(value, torch.nn.Module)


def _library(name: str) -> Any:
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        raise TargetError(f"{package} is not installed: pip install {package}")
    return _imported(package, lambda: importlib.import_module(name))


#: Operators defined by `with_torchvision`: they exist as long as this does.
_defined: list[object] = []


def with_torchvision(run: Callable[[], T]) -> T:
    """Run something that may import torchvision, also where its compiled part does not load.

    A wheel of torchvision built for CUDA beside a torch without it does not load its operators, and
    then `import torchvision` fails, although of all its models only detectors call them. Only in
    that case the two operators that the import asks for are declared, without an implementation:
    a model that does call them still fails, and says so.
    """
    try:
        return run()
    except Exception as error:
        if _defined or not _lacks_operators(error):
            raise
    torch_library: Any = importlib.import_module("torch.library")
    library = torch_library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _defined.append(library)
    return run()


def _lacks_operators(error: BaseException | None) -> bool:
    """Whether an exception, or one that it was raised for, is torchvision's at import."""
    while error is not None:
        if "operator torchvision::nms does not exist" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


# -- messages -------------------------------------------------------------------------------------


def _instead(name: str, known: Iterable[str], listed: int = 12) -> str:
    """What is closest to a name that does not exist, else the first of those that do."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return "there is nothing to count in it"
    if not listed:
        return "nothing there has a name like it"
    more = ", ..." if len(names) > listed else ""
    return f"there are: {', '.join(names[:listed])}{more}"


def _kind_of(value: object) -> str:
    return f"of type {type(value).__name__}"


def _explain(error: BaseException, file: str) -> str:
    """An exception of somebody else's code in one line, with the place if it is in the file."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if file and Path(frame.filename).resolve() == Path(file).resolve()
    ]
    where = f" ({file}, line {own[-1].lineno})" if own else ""
    if isinstance(error, SyntaxError) and error.lineno:
        where = f" (line {error.lineno})"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"
