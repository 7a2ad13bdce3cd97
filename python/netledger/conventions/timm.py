"""``timm``: as timm's benchmark script counts the models of its tables: fvcore's rules.

The tables give ``gmacs`` and ``macts``: the flops that fvcore's `FlopCountAnalysis` finds, which
are multiply-accumulates for convolutions, linear layers and products, and the activations that its
`ActivationCountAnalysis` finds, for one image; rounded to two decimals of a billion and a million.
A fused attention (`scaled_dot_product_attention`) counts nothing, which is why newer tables have
less for the same transformer than older ones. Where deepspeed is installed the script asks that
instead; such rows are the `deepspeed` convention's.

Source: huggingface/pytorch-image-models, benchmark.py (``profile_fvcore``, ``count_params``).
"""

from __future__ import annotations

from netledger.conventions.base import Convention
from netledger.conventions.fvcore import CONVENTION as FVCORE

CONVENTION = Convention(
    "timm",
    {
        "flops": FVCORE.rules["flops"],
        "macs": FVCORE.rules["flops"],
        "activations": FVCORE.rules["activations"],
        "params": "params",
    },
    "MACs",
)
