"""What single layers cost, straight from the formulas: no network, no framework.

    python examples/layer_formulas.py

The closed form is next to each line. C: input channels, K: kernel elements, |x| and |y|: elements
of input and output, I and O: features, H: hidden size.
"""

from __future__ import annotations

from netledger import formulas


def layers() -> list[tuple[str, str, formulas.Cost]]:
    """(layer, its FLOPs as a formula, its cost) for one example of each kind of layer."""
    image = (1, 64, 56, 56)
    return [
        (
            "linear 512 -> 1000, 7 positions",
            "|y| (2I - 1) + |y|",
            formulas.linear((1, 7, 512), 1000),
        ),
        (
            "conv1d 64 -> 128, 5",
            "|y| (2CK - 1) + |y|",
            formulas.conv1d((1, 64, 100), 128, 5, padding=2),
        ),
        (
            "conv2d 64 -> 128, 3x3",
            "|y| (2CK - 1) + |y|",
            formulas.conv2d(image, 128, 3, padding=1),
        ),
        (
            "conv2d 64 -> 128, 3x3, no bias",
            "|y| (2CK - 1)",
            formulas.conv2d(image, 128, 3, padding=1, bias=False),
        ),
        (
            "conv2d 64 -> 128, 3x3, 4 groups",
            "|y| (2CK/4 - 1) + |y|",
            formulas.conv2d(image, 128, 3, padding=1, groups=4),
        ),
        (
            "conv2d 64 -> 64, 3x3, depthwise",
            "|y| (2K - 1) + |y|",
            formulas.conv2d(image, 64, 3, padding=1, groups=64),
        ),
        (
            "conv_transpose2d 64 -> 32, 3x3, stride 2",
            "2 |x| O K + |y|",
            formulas.conv_transpose2d(image, 32, 3, stride=2, padding=1, output_padding=1),
        ),
        (
            "lstm 10 -> 20, one step",
            "4H(2I-1) + 4H(2H-1) + 21H",
            formulas.lstm((1, 1, 10), hidden_size=20),
        ),
        ("batch_norm", "2 |x|", formulas.batch_norm(image)),
        ("max_pool2d 3x3, stride 2", "|y| (K - 1)", formulas.max_pool2d(image, 3, 2, padding=1)),
        ("avg_pool2d 2x2", "|y| K", formulas.avg_pool2d(image, 2)),
        ("relu", "|x|", formulas.relu(image)),
    ]


def main() -> None:
    print(f"{'layer':<42} {'output':<18} {'params':>8} {'macs':>12} {'flops':>12}  flops formula")
    for name, formula, cost in layers():
        print(
            f"{name:<42} {cost.shapes[0]!s:<18} {cost.params:>8,} {cost.macs:>12,}"
            f" {cost.flops:>12,}  {formula}"
        )


if __name__ == "__main__":
    main()
