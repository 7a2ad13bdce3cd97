"""torchvision's models without its compiled kernels."""

from __future__ import annotations

import contextlib

import pytest

torch = pytest.importorskip("torch")

# torchvision declares the shapes of these operations as it is imported, and fails where its kernels
# do not fit the torch that is installed; no model that is counted here runs them.
_library = torch.library.Library("torchvision", "FRAGMENT")
for _name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, _name):
        with contextlib.suppress(RuntimeError):
            _library.define(f"{_name}(Tensor dets, Tensor scores, float threshold) -> Tensor")

torchvision = pytest.importorskip("torchvision")
