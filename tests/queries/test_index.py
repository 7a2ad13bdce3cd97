"""Indices: what is prepared, kept in files, and refused when a file is not what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netledger as nl
from netledger import _index_file


def chain(values: tuple[int, ...] = (8, 16, 24, 32), metric: int = 0) -> nl.Space:
    space = nl.Space()
    first = space.choice("first", values)
    second = space.choice("second", range(1, 9))
    x = nl.linear(space.input(1, 10), first, bias=False)
    space.output(nl.linear(x, second, bias=False))
    space.add_metric("own", [first * second, metric * second])
    return space


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "macs.index"


def answers(index: Any) -> Any:
    """What an index says."""
    found = index.distribution()
    return (
        index.size,
        index.count(None, 300),
        index.count(200, 400),
        index.quantile(0.5),
        index.cdf(300),
        index.nearest(301).value,
        found.values.tolist(),
        found.counts.tolist(),
        index.sample(20, 100, 300, seed=3).tolist(),
    )


def test_an_index_answers_as_its_space() -> None:
    space = chain()
    index = space.index("macs")
    assert (index.metric, index.law, index.size) == ("macs", "architectures", 32)
    assert index.bytes > 0
    assert index.count(None, 300) == space.count(macs=(None, 300))
    assert index.count() == 32
    assert index.quantile(0.25) == space.quantile("macs", 0.25)
    assert index.cdf(300.5) == space.cdf("macs", 300)
    assert index.nearest(301).config == space.nearest("macs", 301).config
    sample = index.sample(10, None, 200, seed=1)
    assert np.array_equal(sample, space.sample(10, macs=(None, 200), seed=1))
    assert sample.population == index.count(None, 200)
    with pytest.raises(nl.SpaceError, match=r"no configuration has macs of at most 3: .* is 88$"):
        index.sample(1, None, 3)
    with pytest.raises(nl.SpaceError, match="n must be an integer"):
        index.sample(-1)


def test_a_file_goes_round(path: Path) -> None:
    expected = answers(chain().index("macs", cache=path))
    written = path.read_bytes()
    # In another space of the same kind it is not made again.
    space = chain()
    assert answers(space.index("macs", cache=str(path))) == expected
    assert answers(space.index("macs", cache=path)) == expected
    assert path.read_bytes() == written
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_damaged_files_are_refused(path: Path) -> None:
    chain().index("macs", cache=path)
    written = path.read_bytes()
    damaged = [written[:length] for length in (0, 5, 20, 40, len(written) // 2, len(written) - 1)]
    damaged += [written + b"\0", b"x" * len(written)]
    rng = np.random.default_rng(1)
    for place in [*range(40), *rng.integers(0, len(written), 60).tolist()]:
        flipped = bytearray(written)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(nl.SpaceError, match=r"the index in .*macs.index is not used"):
            chain().index("macs", cache=path)
        assert path.read_bytes() == content
    path.write_bytes(written)
    assert chain().index("macs", cache=path).size == 32


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (lambda written: written[:-1], "it is cut short"),
        (lambda written: written[:30], "it is cut short"),
        (lambda written: written + b"1", "there is something behind its end"),
        (lambda written: b"Hello, " * 100, "it is no index of netledger"),
        (lambda written: written[:-1] + bytes([written[-1] ^ 1]), "table '.*' is damaged"),
        (lambda written: written[:16] + b"\x63" + written[17:], "it is of version 99"),
        (lambda written: written[:60] + b"~" + written[61:], "its header is damaged"),
    ],
)
def test_a_refusal_says_what_is_wrong(path: Path, content: Any, text: str) -> None:
    chain().index("macs", cache=path)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(nl.SpaceError, match=text) as caught:
        chain().index("macs", cache=path)
    assert str(path) in str(caught.value)


def test_files_of_something_else_are_refused(path: Path) -> None:
    chain().index("macs", cache=path)
    written = path.read_bytes()
    cases: list[tuple[nl.Space, str, dict[str, Any], str]] = [
        (chain(), "params", {}, "it is of another metric, 'macs' in place of 'params'"),
        (chain(), "macs", {"law": "genes"}, "it is of another law, 'architectures' in place"),
        (chain(), "macs", {"where": {"first": 8}}, "it is of another space, or of other conf"),
        (chain((8, 16, 24, 40)), "macs", {}, "it is of another space"),
        (chain((8, 16, 24)), "macs", {}, "it is of another space"),
    ]
    for space, metric, options, text in cases:
        with pytest.raises(nl.SpaceError, match=text):
            space.index(metric, cache=path, **options)
        assert path.read_bytes() == written
    own = path.with_name("own.index")
    chain().index("own", cache=own)
    with pytest.raises(nl.SpaceError, match="it is of another space"):
        chain(metric=1).index("own", cache=own)


def test_a_file_of_more_than_the_memory_is_refused(path: Path) -> None:
    chain().index("macs", cache=path)
    with pytest.raises(nl.SpaceError, match="bytes, more than the 100 that are allowed"):
        chain().index("macs", cache=path, memory=100)


def test_an_interrupted_write_leaves_the_file_that_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"a": np.arange(1000), "b": np.zeros((3, 4), dtype=np.uint16)}
    _index_file.write(path, {"metric": "one"}, tables)
    written = path.read_bytes()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for place in ("os.fsync", "netledger._index_file._bytes_of", "pathlib.Path.replace"):
        with monkeypatch.context() as context:
            if place == "netledger._index_file._bytes_of":
                # Checksums are taken of the tables before the file is begun.
                context.setattr("netledger._index_file._checksum", lambda array: 0)
            context.setattr(place, interrupt)
            with pytest.raises(KeyboardInterrupt):
                _index_file.write(path, {"metric": "two"}, {"a": np.arange(5)})
        assert path.read_bytes() == written
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    read = _index_file.read(path, {"metric": "one"})
    assert list(read) == ["a", "b"]
    for name, table in tables.items():
        assert read[name].dtype == table.dtype
        assert np.array_equal(read[name], table)


def test_tables_of_every_shape_go_round(path: Path) -> None:
    tables = {
        "empty": np.zeros((0, 3), dtype=np.int64),
        "one": np.array(7, dtype=np.uint8),
        "turned": np.arange(12, dtype=np.int32).reshape(3, 4).T,
        "big-endian": np.arange(5, dtype=">u8"),
        "real": np.array([0.1, np.nan]),
    }
    _index_file.write(path, {}, tables)
    read = _index_file.read(path, {})
    for name, table in tables.items():
        assert read[name].shape == table.shape
        assert read[name].dtype == table.dtype.newbyteorder("=")
        assert np.array_equal(read[name], table, equal_nan=name == "real")
    with pytest.raises(nl.SpaceError, match="table 'words' of dtype"):
        _index_file.write(path, {}, {"words": np.array(["a"])})


def test_no_folder(path: Path) -> None:
    with pytest.raises(nl.SpaceError, match="the folder of the cache is not there"):
        chain().index("macs", cache=path / "deeper" / "macs.index")
    with pytest.raises(nl.SpaceError, match="it cannot be read"):
        chain().index("macs", cache=path.parent)


def test_progress_is_shown_and_may_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    class Bar:
        n = 0

        def __init__(self, **_: Any) -> None:
            pass

        def update(self, more: int) -> None:
            self.n += more
            shown.append(self.n)
            if interrupted:
                raise KeyboardInterrupt

        def close(self) -> None:
            pass

    interrupted = False
    monkeypatch.setattr("netledger._answers._bars", lambda: Bar)
    budgets = {"macs": (100, 300), "params": (None, 300)}
    sample = chain().sample(20, progress=True, **budgets)
    assert shown
    assert shown[-1] == 1000
    assert len(sample) == 20
    interrupted = True
    with pytest.raises(KeyboardInterrupt):
        chain().sample(20, progress=True, **budgets)
    monkeypatch.setattr("netledger._answers._bars", lambda: None)
    with pytest.raises(nl.SpaceError, match="progress is shown with tqdm, which is not installed"):
        chain().index("macs", progress=True)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    space = chain()
    space.index("macs")
    space.index("params")
    held = space._kept
    total = sum(kept.held for kept in held._by_key.values())
    assert total > 0
    monkeypatch.setattr("netledger._answers.MEMORY", total - 1)
    space.index("own", memory=2**20)
    assert [kept.metrics for kept in held._by_key.values()][-1] == ("own",)
    assert sum(kept.held for kept in held._by_key.values()) < total
    assert ("macs",) not in [kept.metrics for kept in held._by_key.values()]
    again = space.count(macs=(None, 300), memory=2**20)
    assert again == chain().count(macs=(None, 300), memory=2**20)


def test_explanations() -> None:
    space = chain()
    found = space.explain_query("macs", where={"first": [8, 16]}, memory=10**6)
    text = str(found)
    assert "law 'architectures', at most 1,000,000 bytes" in text
    assert sorted([*found["order"], *found["given"]]) == ["first", "second"]
    for what in ("count", "distribution", "prepare"):
        assert found[f"{what}_bytes"] >= 0
        assert found[f"{what}_seconds"] >= 0
        assert f"{what}: about" in text
    assert {name for names, _ in found["components"] for name in names} <= {"first", "second"}
    assert str(space.explain_query()).startswith("how many, law 'architectures'")
    assert str(space.explain_query("macs", "params", law="genes")).startswith("macs and params, l")
