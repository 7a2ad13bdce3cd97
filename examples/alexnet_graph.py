"""AlexNet at 227x227, written with netledger's builder: no framework is needed to count it.

    python examples/alexnet_graph.py

The graph is the network: every function call adds one layer and infers its input channels.
"""

from __future__ import annotations

import netledger as nl


def alexnet_graph(batch: int = 1, num_classes: int = 1000) -> nl.Graph:
    """96-256-384-384-256 channels on 227x227 images: 62,378,344 parameters for 1000 classes."""
    graph = nl.Graph()
    x = graph.input(batch, 3, 227, 227)
    x = nl.relu(nl.conv2d(x, out_channels=96, kernel_size=11, stride=4))
    x = nl.max_pool2d(x, 3, 2)
    x = nl.relu(nl.conv2d(x, out_channels=256, kernel_size=5, padding=2))
    x = nl.max_pool2d(x, 3, 2)
    x = nl.relu(nl.conv2d(x, out_channels=384, kernel_size=3, padding=1))
    x = nl.relu(nl.conv2d(x, out_channels=384, kernel_size=3, padding=1))
    x = nl.relu(nl.conv2d(x, out_channels=256, kernel_size=3, padding=1))
    x = nl.max_pool2d(x, 3, 2)
    x = nl.flatten(x, 1)
    x = nl.dropout(nl.relu(nl.linear(x, 4096)))
    x = nl.relu(nl.linear(x, 4096))
    x = nl.linear(x, num_classes)
    graph.output(x)
    return graph


def main() -> None:
    print(alexnet_graph().count(title="AlexNet on 1x3x227x227"))


if __name__ == "__main__":
    main()
