"""Real models against torch: output shapes, parameters, buffers, multiply-accumulates.

torch's FlopCounterMode counts twice the multiply-accumulates of matrix products and convolutions.
It does not see recurrent layers and products with a vector, and it takes a product over a dimension
of size 1 for element-wise; no model here has those, except where its test says so.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import netledger as nl
from torchvision_shim import torchvision

IMAGE_MODELS = [
    "vit_tiny_patch16_224",
    "convnext_atto",
    "convnextv2_atto",
    "efficientnet_b0",
    "mobilenetv4_conv_small",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "maxvit_tiny_rw_224",
    "coatnet_0_rw_224",
    "maxxvit_rmlp_nano_rw_256",
    "levit_128",
    "beit_base_patch16_224",
    "eva02_tiny_patch14_224",
    "cait_xxs24_224",
    "crossvit_9_240",
    "davit_tiny",
    "edgenext_small",
    "efficientformer_l1",
    "fastvit_t8",
    "ghostnet_100",
    "hrnet_w18_small",
    "mixer_s32_224",
    "mobilevit_s",
    "nfnet_f0",
    "poolformer_s12",
    "pvt_v2_b0",
    "regnety_004",
    "repvgg_a0",
    "resmlp_12_224",
    "resnest14d",
    "res2net50_14w_8s",
    "seresnet50",
    "skresnet18",
    "tiny_vit_5m_224",
    "twins_pcpvt_small",
    "visformer_tiny",
    "xcit_nano_12_p16_224",
    "hiera_tiny_224",
    "mobileone_s0",
    "volo_d1_224",
    "gcvit_xxtiny",
    "inception_next_tiny",
    "samvit_base_patch16",
    "tnt_s_patch16_224",
    "halonet26t",
    "lambda_resnet26t",
    "bat_resnext26ts",
    "dpn68",
    "focalnet_tiny_srf",
    "mambaout_femto",
    "caformer_s18",
]

SIZES = {
    "vocab_size": 100,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
VISION = {**{name: size for name, size in SIZES.items() if name != "vocab_size"}, "image_size": 64}
GROUPED = {**SIZES, "num_key_value_heads": 2}
SEQUENCE = {
    "vocab_size": 100, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64, "pad_token_id": 1,
}  # fmt: skip
TOKENS = torch.arange(32).reshape(2, 16) + 3
PADDED = torch.tensor([[1] * 16, [1] * 10 + [0] * 6])
TEXT = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
PIXELS = {"pixel_values": torch.zeros(1, 3, 64, 64)}
TRANSFORMERS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("BertModel", "BertConfig", SIZES, {"input_ids": TOKENS}),
    ("BertModel", "BertConfig", SIZES, {"input_ids": TOKENS, "attention_mask": PADDED}),
    ("RobertaModel", "RobertaConfig", SIZES, TEXT),
    ("AlbertModel", "AlbertConfig", {**SIZES, "embedding_size": 32}, TEXT),
    ("DistilBertModel", "DistilBertConfig",
     {"vocab_size": 100, "dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128}, TEXT),
    ("DebertaV2Model", "DebertaV2Config", SIZES, TEXT),
    ("GPT2LMHeadModel", "GPT2Config",
     {"vocab_size": 100, "n_embd": 64, "n_layer": 2, "n_head": 4}, TEXT),
    ("GPTNeoXModel", "GPTNeoXConfig", SIZES, TEXT),
    ("LlamaForCausalLM", "LlamaConfig", GROUPED, TEXT),
    ("LlamaModel", "LlamaConfig", GROUPED, {"input_ids": TOKENS, "attention_mask": PADDED}),
    ("MistralModel", "MistralConfig", GROUPED, TEXT),
    ("Qwen2Model", "Qwen2Config", GROUPED, TEXT),
    ("GemmaForCausalLM", "GemmaConfig", {**GROUPED, "head_dim": 16}, TEXT),
    ("PhiModel", "PhiConfig", SIZES, TEXT),
    ("FalconModel", "FalconConfig", SIZES, TEXT),
    ("T5Model", "T5Config",
     {"vocab_size": 100, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4},
     {"input_ids": TOKENS, "decoder_input_ids": TOKENS}),
    ("BartModel", "BartConfig", SEQUENCE, TEXT),
    ("WhisperModel", "WhisperConfig",
     {**SEQUENCE, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1},
     {"input_features": torch.zeros(1, 80, 3000), "decoder_input_ids": TOKENS[:1]}),
    ("ViTModel", "ViTConfig", VISION, PIXELS),
    ("DeiTModel", "DeiTConfig", VISION, PIXELS),
    ("Dinov2Model", "Dinov2Config", {**VISION, "image_size": 56},
     {"pixel_values": torch.zeros(1, 3, 56, 56)}),
    ("SwinModel", "SwinConfig",
     {"image_size": 64, "embed_dim": 24, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
     PIXELS),
    ("SegformerModel", "SegformerConfig", {}, PIXELS),
    ("CLIPModel", "CLIPConfig",
     {"text_config": SIZES, "vision_config": {**VISION, "patch_size": 16}},
     {**TEXT, "pixel_values": torch.zeros(2, 3, 64, 64)}),
    ("Wav2Vec2Model", "Wav2Vec2Config", SIZES, {"input_values": torch.zeros(1, 4000)}),
    ("MambaModel", "MambaConfig",
     {"vocab_size": 100, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8},
     {"input_ids": TOKENS}),
]  # fmt: skip


def tensors_of(answer: Any) -> list[torch.Tensor]:
    if isinstance(answer, torch.Tensor):
        return [answer]
    if callable(getattr(answer, "values", None)):
        answer = list(answer.values())
    elif not isinstance(answer, list | tuple):
        answer = list(vars(answer).values()) if hasattr(answer, "__dict__") else []
    return [tensor for entry in answer for tensor in tensors_of(entry)]


def assert_as_torch(model: nn.Module, *inputs: Any, unseen: int = 0, **named: Any) -> None:
    """`unseen` are the multiply-accumulates that FlopCounterMode does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("error", nl.UnsupportedWarning)
        ledger = nl.count(model, *inputs, **named)
        engine = nl.from_torch(model, *inputs, **named).engine
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
                answer = model.eval()(*inputs, **named)
        finally:
            torch.backends.mha.set_fastpath_enabled(True)
    expected = {
        id(tensor): (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for tensor in tensors_of(answer)
    }
    outputs = [(engine.shape(index), engine.dtype(index)) for index in engine.outputs]
    assert outputs == list(expected.values())
    assert 2 * (ledger.macs - unseen) == counter.get_total_flops()
    assert ledger.params == sum(parameter.numel() for parameter in model.parameters())
    assert ledger.buffers == sum(buffer.numel() for buffer in model.buffers())


@pytest.mark.parametrize("name", IMAGE_MODELS)
def test_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = timm.create_model(name, pretrained=False)
    size = model.default_cfg["input_size"]
    assert_as_torch(model.to("meta"), torch.zeros(1, *size, device="meta"))


@pytest.mark.parametrize(
    "name", torchvision.models.list_models(module=torchvision.models.segmentation)
)
def test_torchvision_segmentation(name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    assert_as_torch(model, torch.zeros(1, 3, 256, 256, device="meta"))


@pytest.mark.parametrize("name", ["r3d_18", "mc3_18", "swin3d_t"])
def test_torchvision_video(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None).to("meta")
    assert_as_torch(model, torch.zeros(1, 3, 16, 112, 112, device="meta"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model", "config", "options", "inputs"),
    TRANSFORMERS,
    ids=[f"{entry[0]}{index}" for index, entry in enumerate(TRANSFORMERS)],
)
def test_transformers(
    model: str, config: str, options: dict[str, Any], inputs: dict[str, Any]
) -> None:
    transformers = pytest.importorskip("transformers")
    built = getattr(transformers, model)(getattr(transformers, config)(**options))
    assert_as_torch(built, **inputs)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_transformer() -> None:
    transformer = nn.Transformer(16, 4, 2, 2, 32, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    assert_as_torch(transformer, torch.zeros(2, 5, 16), torch.zeros(2, 6, 16), tgt_mask=mask)


class UNet(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True))
        self.pool = nn.MaxPool2d(2)
        self.middle = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.SiLU())
        self.up: nn.Module = nn.ConvTranspose2d(16, 8, 2, 2)
        if mode != "transposed":
            self.up = nn.Sequential(nn.Upsample(scale_factor=2, mode=mode), nn.Conv2d(16, 8, 1))
        self.last = nn.Conv2d(16, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.down(x)
        return self.last(torch.cat([self.up(self.middle(self.pool(kept))), kept], 1))


@pytest.mark.parametrize("mode", ["transposed", "bilinear", "nearest"])
def test_unet(mode: str) -> None:
    assert_as_torch(UNet(mode), torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("layer", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)], ids=["LSTM", "GRU", "RNN"]
)
def test_recurrent_layers_are_not_seen_by_torch(layer: Any, gates: int) -> None:
    model = layer(16, 8, 2, batch_first=True, bidirectional=True).to("meta")
    macs = sum(2 * 2 * 5 * gates * 8 * (width + 8) for width in (16, 16))
    ledger = nl.count(model, (2, 5, 16))
    assert ledger.macs == macs
    assert ledger.params == sum(parameter.numel() for parameter in model.parameters())
