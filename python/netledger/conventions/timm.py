"""``timm``: as timm's benchmark script counts the models of its tables: fvcore's rules.

The tables give ``gmacs`` and ``macts``: the flops that fvcore's `FlopCountAnalysis` finds, which
are multiply-accumulates for convolutions, linear layers and products, and the activations that its
`ActivationCountAnalysis` finds, for one image; rounded to two decimals of a billion and a million.

They are those of the model as it is: in timm's tables attention is spelt out, as it is after
``timm.layers.set_fused_attn(False)``; in a fused one, which is timm's default and is behind some of
its model cards, fvcore sees no products and no activations. Where deepspeed is installed, the
script asks that instead: such figures are those of the ``deepspeed`` convention.

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
