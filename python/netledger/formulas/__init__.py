"""Every layer's closed form as plain Python: the specification that people read.

Call a formula with the shapes of its inputs and the layer's attributes, under torch's names:

>>> conv2d((1, 3, 224, 224), out_channels=64, kernel_size=7, stride=2, padding=3).macs
118013952

Any size or attribute may be a numpy array of integers instead; arrays broadcast, and the result
holds arrays. The compiled core has the same rules; tests hold the two together.
"""

from __future__ import annotations

from netledger.formulas._layer import OPERATIONS, Cost
from netledger.formulas.convolution import *  # noqa: F403

__all__ = ["OPERATIONS", "Cost", *OPERATIONS]
