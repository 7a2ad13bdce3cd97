"""The timm convention gives the figures of timm's tables, and those of fvcore itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import netledger as nl

# Model, size of images, parameters (M), gmacs, macts: rows of timm's
# results/benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv.
TABLE = [
    ("mobilenetv3_small_100", 224, 2.54, 0.06, 1.42),
    ("mobilenetv2_100", 224, 3.5, 0.31, 6.68),
    ("resnet18", 224, 11.69, 1.82, 2.48),
    ("resnet50", 160, 25.56, 2.1, 5.67),
    ("efficientnet_b0", 224, 5.29, 0.4, 6.75),
    ("efficientnet_b0_gn", 224, 5.29, 0.42, 6.75),
    ("convnext_atto", 224, 3.7, 0.55, 3.81),
    ("regnety_002", 224, 3.16, 0.2, 2.17),
    ("mixer_s32_224", 224, 19.1, 1.0, 2.28),
    ("resmlp_12_224", 224, 15.35, 3.01, 5.5),
    ("vit_tiny_patch16_224", 224, 5.72, 1.26, 5.97),
    ("deit_tiny_distilled_patch16_224", 224, 5.91, 1.27, 6.01),
    ("pit_ti_224", 224, 4.85, 0.7, 6.19),
    ("levit_128s", 224, 7.78, 0.31, 1.88),
    ("mobilevit_xxs", 256, 1.27, 0.42, 8.34),
    ("mixnet_s", 224, 4.13, 0.25, 6.25),
    ("repvgg_a0", 224, 9.11, 1.52, 3.59),
    ("xcit_nano_12_p16_224", 224, 3.05, 0.56, 4.17),
    ("ghostnet_100", 224, 5.18, 0.15, 3.55),
    ("dla34", 224, 15.74, 3.07, 5.02),
    ("skresnet18", 224, 11.96, 1.82, 3.24),
    ("hrnet_w18_small", 224, 13.19, 1.61, 5.72),
    ("crossvit_9_240", 240, 8.55, 1.85, 9.52),
    ("edgenext_xx_small", 256, 1.33, 0.26, 3.33),
    ("pvt_v2_b0", 224, 3.67, 0.57, 7.99),
]


@pytest.fixture
def timm() -> Iterator[Any]:
    """timm with attention spelt out, as its tables have it."""
    pytest.importorskip("torchvision_shim")
    package = pytest.importorskip("timm")
    before = package.layers.config._USE_FUSED_ATTN
    package.layers.set_fused_attn(False)
    yield package
    package.layers.config._USE_FUSED_ATTN = before


def _model(timm: Any, name: str) -> Any:
    with torch.device("meta"):
        return timm.create_model(name).eval()


@pytest.mark.parametrize(("name", "size", "params", "gmacs", "macts"), TABLE)
def test_tables(name: str, size: int, params: float, gmacs: float, macts: float, timm: Any) -> None:
    ledger = nl.count(_model(timm, name), (1, 3, size, size))
    assert round(ledger.total("params", "timm") / 1e6, 2) == params
    assert round(ledger.total("flops", "timm") / 1e9, 2) == gmacs
    assert round(ledger.total("activations", "timm") / 1e6, 2) == macts


@pytest.mark.parametrize(("fused", "gmacs", "macts"), [(False, 1.26, 5.97), (True, 1.08, 4.12)])
def test_fused_attention_counts_nothing(fused: bool, gmacs: float, macts: float, timm: Any) -> None:
    timm.layers.set_fused_attn(fused)
    ledger = nl.count(_model(timm, "vit_tiny_patch16_224"), (1, 3, 224, 224))
    assert round(ledger.total("macs", "timm") / 1e9, 2) == gmacs
    assert round(ledger.total("activations", "timm") / 1e6, 2) == macts
    # 12 blocks of 3 heads with 64 channels: scores and values of 197 tokens.
    products, made = 2 * 12 * 3 * 197 * 197 * 64, 12 * 3 * 197 * (197 + 64)
    spelt = nl.count(_spelt(timm), (1, 3, 224, 224))
    less = (products, made) if fused else (0, 0)
    assert spelt.total("macs", "timm") - ledger.total("macs", "timm") == less[0]
    assert spelt.total("activations", "timm") - ledger.total("activations", "timm") == less[1]


def _spelt(timm: Any) -> Any:
    timm.layers.set_fused_attn(False)
    return _model(timm, "vit_tiny_patch16_224")


def test_is_fvcore_in_a_space() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(1, 3, size, size)
    x = nl.relu(nl.batch_norm(nl.conv2d(x, out_channels=width, kernel_size=3)))
    x = nl.flatten(nl.adaptive_avg_pool2d(x, output_size=1), start_dim=1)
    space.output(nl.linear(x, out_features=7))
    codes = space.enumerate()
    for metric in ("flops", "activations"):
        costs = space.sweep(codes, [metric], "timm")[metric].tolist()
        single = [space.graph(row).count().total(metric, "timm") for row in codes]
        assert costs == single
        assert len(set(single)) > 1
    channels, rows = codes[0].tolist()
    assert (channels, rows) == (0, 0)
    # 4 channels, 6x6 images: products of 3x3x3 kernels, two per element of the norm's input, one
    # of the pooling's, products of the linear layer.
    assert space.graph(codes[0]).count().total("flops", "timm") == (
        4 * 16 * 27 + 2 * 4 * 16 + 4 * 16 + 4 * 7
    )
    assert space.graph(codes[0]).count().total("activations", "timm") == 4 * 16 + 7


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {}),
        ("vit_tiny_patch16_224", {"img_size": 64}),
        ("pit_ti_224", {"img_size": 64}),
    ],
)
def test_agrees_with_fvcore(name: str, options: dict[str, int], timm: Any) -> None:
    fvcore = pytest.importorskip("fvcore.nn")
    model, given = timm.create_model(name, **options).eval(), torch.rand(1, 3, 64, 64)
    ledger = nl.count(model, given)
    for metric, analysis in (
        ("flops", fvcore.FlopCountAnalysis),
        ("activations", fvcore.ActivationCountAnalysis),
    ):
        found = analysis(model, given).unsupported_ops_warnings(False)
        assert ledger.total(metric, "timm") == found.tracer_warnings("none").total()
