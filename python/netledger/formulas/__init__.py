"""Every layer's closed form as plain Python: the specification that people read.

Call a formula with the shapes of its inputs and the layer's attributes, under torch's names:

>>> conv2d((1, 3, 224, 224), out_channels=64, kernel_size=7, stride=2, padding=3).macs
118013952

Any size or attribute may be a numpy array of integers instead; arrays broadcast, and the result
holds arrays. The compiled core has the same rules; tests hold the two together.
"""

from __future__ import annotations

from netledger._results import Cost
from netledger.formulas._layer import OPERATIONS
from netledger.formulas.activation import *  # noqa: F403
from netledger.formulas.attention import *  # noqa: F403
from netledger.formulas.convolution import *  # noqa: F403
from netledger.formulas.declared import *  # noqa: F403
from netledger.formulas.elementwise import *  # noqa: F403
from netledger.formulas.embedding import *  # noqa: F403
from netledger.formulas.linear import *  # noqa: F403
from netledger.formulas.normalization import *  # noqa: F403
from netledger.formulas.pooling import *  # noqa: F403
from netledger.formulas.recurrent import *  # noqa: F403
from netledger.formulas.reduction import *  # noqa: F403
from netledger.formulas.resample import *  # noqa: F403
from netledger.formulas.shape import *  # noqa: F403

__all__ = ["OPERATIONS", "Cost", *OPERATIONS]  # noqa: PLE0604
