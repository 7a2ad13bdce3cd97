"""torchvision's own tables: the parameters and multiply-accumulates of all its classifiers."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.overrides import TorchFunctionMode

import netledger as nl
from torchvision_shim import torchvision

MODELS = torchvision.models.list_models(module=torchvision.models)


class EmptyWeightsOnMeta(TorchFunctionMode):
    """Builds models without memory for their weights."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.empty and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return function(*args, **kwargs)


def published(name: str) -> tuple[Any, int, dict[str, Any]]:
    """The model of the default weights, the size of its images, and what torchvision says of it."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    size = weights.transforms().crop_size[0]
    options: dict[str, Any] = {"image_size": size} if name.startswith("vit_h") else {}
    if name in ("googlenet", "inception_v3"):
        options |= {"init_weights": False, "aux_logits": True, "transform_input": True}
    with EmptyWeightsOnMeta():
        model = torchvision.models.get_model(name, weights=None, **options)
    return model.to("meta"), size, weights.meta


@pytest.mark.parametrize("name", MODELS)
def test_torchvision_tables(name: str) -> None:
    model, size, meta = published(name)
    ledger = nl.count(model, (1, 3, size, size))
    auxiliary = sum(
        parameter.numel()
        for path, parameter in model.named_parameters()
        if path.startswith(("aux1.", "aux2.", "AuxLogits."))
    )
    # googlenet's table leaves out the auxiliary classifiers, inception_v3's has them.
    left_out = auxiliary if name == "googlenet" else 0
    assert ledger.params - left_out == meta["num_params"]
    assert round(ledger.macs / 1e9, 3) == meta["_ops"]
    assert ledger.unsupported == {}


def test_the_table_is_whole() -> None:
    assert len(MODELS) >= 80
