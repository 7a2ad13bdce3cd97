"""Files that keep what a query has prepared: arrays, with what they belong to.

A file is a line that says what it is, the length and the checksum of a header, the header (JSON),
and the arrays one after the other, each with its checksum in the header. It is written beside its
place and moved there when it is complete.
"""

from __future__ import annotations

import json
import os
import secrets
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from netledger.errors import SpaceError

#: Grows when files are laid out in another way, or tables of the engine mean something else.
VERSION = 1

MAGIC = b"netledger index\n"
#: Version, length of the header, checksum of the header.
LEAD = struct.Struct("<IIQ")
MOST_HEADER = 2**24
#: Where arrays begin.
ALIGNMENT = 64
#: So much is read and checked at a time.
PIECE = 2**24

#: What tells spaces and questions apart where they go by the same names.
FINGERPRINT = "fingerprint"

#: Kinds of numbers that arrays are of.
KINDS = "biuf"

Tables = Mapping[str, npt.NDArray[Any]]


def write(path: Path, about: Mapping[str, Any], tables: Tables) -> None:
    """Write a file, whole or not at all.

    Args:
        path: where it shall be; what is there is replaced when the new file is complete.
        about: what the tables belong to, as JSON has it.
        tables: arrays of numbers by name.
    """
    arrays = {name: _as_stored(name, table) for name, table in tables.items()}
    listed = [
        {
            "name": name,
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "crc32": _checksum(array),
        }
        for name, array in arrays.items()
    ]
    header = json.dumps({**about, "tables": listed}).encode()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(MAGIC + LEAD.pack(VERSION, len(header), zlib.crc32(header)) + header)
            for array in arrays.values():
                file.write(bytes(-file.tell() % ALIGNMENT))
                file.write(_bytes_of(array))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path, about: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """The tables of a file that belongs to what it should.

    Raises:
        SpaceError: the file is not one of these, not complete, damaged, or belongs to another
            space or question; the text names it and says what is wrong.
    """
    try:
        with path.open("rb") as file:
            header = _header(path, file)
            _require_same(path, header, about)
            tables = {entry["name"]: _table(path, file, entry) for entry in header["tables"]}
            if file.read(1):
                raise refused(path, "there is something behind its end")
    except OSError as error:
        raise refused(path, f"it cannot be read ({error.strerror})") from error
    return tables


def _header(path: Path, file: BinaryIO) -> dict[str, Any]:
    lead = file.read(len(MAGIC) + LEAD.size)
    if not MAGIC.startswith(lead[: len(MAGIC)]) or not lead:
        raise refused(path, "it is no index of netledger")
    if len(lead) < len(MAGIC) + LEAD.size:
        raise refused(path, "it is cut short")
    version, length, checksum = LEAD.unpack(lead[len(MAGIC) :])
    if version != VERSION:
        raise refused(path, f"it is of version {version}, this netledger reads {VERSION}")
    if length > MOST_HEADER:
        raise refused(path, "its header is damaged")
    text = file.read(length)
    if len(text) < length:
        raise refused(path, "it is cut short")
    if zlib.crc32(text) != checksum:
        raise refused(path, "its header is damaged")
    header: dict[str, Any] = json.loads(text)
    return header


def _require_same(path: Path, header: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    for what, wanted in about.items():
        found = header.get(what)
        if found != wanted and what == FINGERPRINT:
            raise refused(path, "it is of another space, or of other configurations of it")
        if found != wanted:
            raise refused(path, f"it is of another {what}, {found!r} in place of {wanted!r}")


def _table(path: Path, file: BinaryIO, entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    name = entry["name"]
    padding = -file.tell() % ALIGNMENT
    if file.read(padding).strip(b"\0"):
        raise refused(path, f"it is damaged before table '{name}'")
    # What an untrue size would take is not made before it is known to be there.
    dtype = np.dtype(entry["dtype"])
    if dtype.kind not in KINDS:
        raise refused(path, f"table '{name}' is of {dtype}")
    needed = dtype.itemsize * int(np.prod(entry["shape"], dtype=object))
    if needed > path.stat().st_size - file.tell():
        raise refused(path, "it is cut short")
    array = np.empty(entry["shape"], dtype=dtype)
    into = _bytes_of(array)
    for start in range(0, len(into), PIECE):
        piece = into[start : start + PIECE]
        if file.readinto(piece) < len(piece):  # type: ignore[attr-defined]
            raise refused(path, "it is cut short")
    if _checksum(array) != entry["crc32"]:
        raise refused(path, f"table '{name}' is damaged")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _as_stored(name: str, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An array as it stands in a file: contiguous, little-endian."""
    if table.dtype.kind not in KINDS:
        raise SpaceError(f"table '{name}' of dtype {table.dtype} cannot be kept in a file")
    return np.ascontiguousarray(table, dtype=table.dtype.newbyteorder("<")).reshape(table.shape)


def _bytes_of(array: npt.NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _checksum(array: npt.NDArray[Any]) -> int:
    return zlib.crc32(_bytes_of(array))


def refused(path: Path, reason: str) -> SpaceError:
    return SpaceError(
        f"the index in {path} is not used: {reason}. It is left as it is: delete it, or give "
        "another path"
    )
