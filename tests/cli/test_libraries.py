"""`netledger count` on the models of torchvision, timm and transformers.

They are imported in other processes: the import changes torch for good where a wheel of torchvision
lacks its compiled part, and gives warnings that are not ours. There is no way to the network.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")

SCRIPT = """
import contextlib, io, json, sys
from netledger.cli import main

results = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    results.append((code, out.getvalue(), err.getvalue()))
json.dump(results, sys.stdout)
"""
NOWHERE = "http://127.0.0.1:9"


def run(library: str, *commands: str) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of commands, all in one new process."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([command.split() for command in commands]),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "http_proxy": NOWHERE, "https_proxy": NOWHERE, "HTTPS_PROXY": NOWHERE},
    )
    assert done.returncode == 0, done.stderr
    return [tuple(result) for result in json.loads(done.stdout)]


def test_torchvision() -> None:
    resnet, batch, vit, segmentation, title, video, unknown = run(
        "torchvision",
        "count torchvision:resnet18 --metric macs --metric params",
        "count torchvision:resnet18 --metric macs --input 2,3,224,224",
        "count torchvision:vit_b_32 --metric params",
        "count torchvision:fcn_resnet50 --metric params",
        "count torchvision:inception_v3 --depth 0",
        "count torchvision:r3d_18",
        "count torchvision:resnt18",
    )
    assert resnet == (0, "1814073344\n11689512\n", "")
    assert batch == (0, f"{2 * 1814073344}\n", "")
    assert vit == (0, "88224232\n", "")
    assert segmentation == (0, "32957013\n", "")
    assert title[1].startswith("torchvision:inception_v3 on 1x3x299x299: 27.16 M params, ")
    assert video[0] == unknown[0] == 2
    assert "say what torchvision:r3d_18 is called with" in video[2]
    assert "torchvision has no model 'resnt18'; did you mean resnet18 or " in unknown[2]


def test_timm() -> None:
    vit, title, unknown = run(
        "timm",
        "count timm:vit_tiny_patch16_224 --metric params",
        "count timm:mixnet_s.ft_in1k --depth 0",
        "count timm:resnt50",
    )
    assert vit == (0, "5717416\n", "")
    assert title[1].startswith("timm:mixnet_s.ft_in1k on 1x3x224x224: 4.13 M params, ")
    assert unknown[0] == 2
    assert "timm has no model 'resnt50'; did you mean resnet50 or " in unknown[2]


def test_transformers(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    config = {
        "model_type": "bert",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 100,
        "max_position_embeddings": 50,
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    headed = tmp_path / "headed"
    headed.mkdir()
    (headed / "config.json").write_text(
        json.dumps({**config, "architectures": ["BertForMaskedLM"]}), encoding="utf-8"
    )
    bert, given, vit, local, folder, absent, unknown = run(
        "transformers",
        "count transformers:BertConfig --metric params",
        "count transformers:GPT2Config --input input_ids=1,16:int64 --metric params",
        "count transformers:ViTConfig --depth 0",
        f"count transformers:{file} --metric params",
        f"count transformers:{headed} --depth 0",
        f"count transformers:{tmp_path}/missing.json",
        "count transformers:BrtConfig",
    )
    assert bert == (0, "109482240\n", "")
    assert given == (0, "124439808\n", "")
    assert vit[1].startswith("transformers:ViTConfig on pixel_values 1x3x224x224: 86.39 M params, ")
    embeddings = (100 + 50 + 2) * 64 + 2 * 64
    layer = 4 * (64 * 64 + 64) + 64 * 128 + 128 + 128 * 64 + 64 + 4 * 64
    pooler = 64 * 64 + 64
    assert local == (0, f"{embeddings + 2 * layer + pooler}\n", "")
    # The named class has a head and no pooler; the head's last weights are the embedding's.
    # A long path wraps the line.
    heading = " ".join(folder[1].split())
    assert " on input_ids 1x50 int64, attention_mask 1x50 int64 ones: " in heading
    head = 64 * 64 + 64 + 2 * 64 + 100
    assert f" {embeddings + 2 * layer + head:,} " in folder[1]
    assert absent[0] == unknown[0] == 2
    assert "there is no file" in absent[2]
    assert "transformers has no config 'BrtConfig' and there is no such file" in unknown[2]
