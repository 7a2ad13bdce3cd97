"""torch's names for the ops: the modules that are there for one, the function that those call."""

from __future__ import annotations

__all__ = ["FUNCTION_OF_OP", "MODULES_OF_OP", "OPS_OF_MODULE"]

_RANKED = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "max_pool": "MaxPool",
    "avg_pool": "AvgPool",
    "lp_pool": "LPPool",
    "adaptive_avg_pool": "AdaptiveAvgPool",
    "adaptive_max_pool": "AdaptiveMaxPool",
    "max_unpool": "MaxUnpool",
}

#: Classes of torch.nn by op. The first is the usual one.
MODULES_OF_OP: dict[str, tuple[str, ...]] = {
    **{
        f"{op}{spatial}d": (f"{module}{spatial}d",)
        for op, module in _RANKED.items()
        for spatial in (1, 2, 3)
    },
    "fractional_max_pool2d": ("FractionalMaxPool2d",),
    "fractional_max_pool3d": ("FractionalMaxPool3d",),
    "linear": ("Linear",),
    "bilinear": ("Bilinear",),
    "multi_head_attention": ("MultiheadAttention",),
    "rnn": ("RNN",),
    "lstm": ("LSTM",),
    "gru": ("GRU",),
    "rnn_cell": ("RNNCell",),
    "lstm_cell": ("LSTMCell",),
    "gru_cell": ("GRUCell",),
    "batch_norm": ("BatchNorm2d", "BatchNorm1d", "BatchNorm3d", "SyncBatchNorm"),
    "instance_norm": ("InstanceNorm2d", "InstanceNorm1d", "InstanceNorm3d"),
    "layer_norm": ("LayerNorm",),
    "group_norm": ("GroupNorm",),
    "rms_norm": ("RMSNorm",),
    "local_response_norm": ("LocalResponseNorm",),
    "softmax": ("Softmax", "Softmax2d"),
    "log_softmax": ("LogSoftmax",),
    "softmin": ("Softmin",),
    "glu": ("GLU",),
    "prelu": ("PReLU",),
    "relu": ("ReLU",),
    "relu6": ("ReLU6",),
    "hardtanh": ("Hardtanh",),
    "leaky_relu": ("LeakyReLU",),
    "rrelu": ("RReLU",),
    "elu": ("ELU",),
    "celu": ("CELU",),
    "selu": ("SELU",),
    "gelu": ("GELU",),
    "gelu_tanh": ("GELU",),
    "silu": ("SiLU",),
    "mish": ("Mish",),
    "sigmoid": ("Sigmoid",),
    "logsigmoid": ("LogSigmoid",),
    "tanh": ("Tanh",),
    "hardsigmoid": ("Hardsigmoid",),
    "hardswish": ("Hardswish",),
    "softplus": ("Softplus",),
    "softsign": ("Softsign",),
    "tanhshrink": ("Tanhshrink",),
    "hardshrink": ("Hardshrink",),
    "softshrink": ("Softshrink",),
    "threshold": ("Threshold",),
    "dropout": ("Dropout",),
    "dropout1d": ("Dropout1d",),
    "dropout2d": ("Dropout2d",),
    "dropout3d": ("Dropout3d",),
    "alpha_dropout": ("AlphaDropout",),
    "feature_alpha_dropout": ("FeatureAlphaDropout",),
    "embedding": ("Embedding",),
    "embedding_bag": ("EmbeddingBag",),
    "flatten": ("Flatten",),
    "unflatten": ("Unflatten",),
    "identity": ("Identity",),
    "pad": tuple(
        f"{kind}Pad{spatial}d"
        for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
        for spatial in (1, 2, 3)
    ),
    "pixel_shuffle": ("PixelShuffle",),
    "pixel_unshuffle": ("PixelUnshuffle",),
    "channel_shuffle": ("ChannelShuffle",),
    "unfold": ("Unfold",),
    "fold": ("Fold",),
    "interpolate": ("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"),
}

#: Ops by class of torch.nn.
OPS_OF_MODULE: dict[str, frozenset[str]] = {
    module: frozenset(op for op, modules in MODULES_OF_OP.items() if module in modules)
    for modules in MODULES_OF_OP.values()
    for module in modules
}

#: The function that a layer of this op is a call of: the one that its module's forward calls, or
#: the only one that there is.
FUNCTION_OF_OP: dict[str, str] = {
    **{f"{op}{spatial}d": f"F.{op}{spatial}d" for op in _RANKED for spatial in (1, 2, 3)},
    **{
        op: f"F.{op}"
        for op in (
            "fractional_max_pool2d",
            "fractional_max_pool3d",
            "linear",
            "bilinear",
            "scaled_dot_product_attention",
            "batch_norm",
            "instance_norm",
            "layer_norm",
            "group_norm",
            "rms_norm",
            "local_response_norm",
            "softmax",
            "log_softmax",
            "softmin",
            "glu",
            "prelu",
            "relu",
            "hardtanh",
            "leaky_relu",
            "rrelu",
            "elu",
            "celu",
            "selu",
            "gelu",
            "silu",
            "mish",
            "logsigmoid",
            "hardsigmoid",
            "hardswish",
            "softplus",
            "softsign",
            "tanhshrink",
            "hardshrink",
            "softshrink",
            "threshold",
            "dropout",
            "dropout1d",
            "dropout2d",
            "dropout3d",
            "alpha_dropout",
            "feature_alpha_dropout",
            "embedding",
            "embedding_bag",
            "pad",
            "pixel_shuffle",
            "pixel_unshuffle",
            "channel_shuffle",
            "unfold",
            "fold",
            "interpolate",
            "grid_sample",
        )
    },
    "gelu_tanh": "F.gelu",
    "relu6": "F.hardtanh",
    "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh",
    "einsum": "torch.einsum",
    "matmul": "torch.matmul",
    "multi_head_attention": "F.multi_head_attention_forward",
}
