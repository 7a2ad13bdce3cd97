"""Sizes of the element types, in bytes."""

from __future__ import annotations

from netledger.errors import NetledgerError

ITEMSIZES = {
    "float32": 4,
    "float64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "complex32": 4,
    "complex64": 8,
    "complex128": 16,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
}


def itemsize(dtype: str) -> int:
    """Bytes of one element of a dtype, or an error that lists the dtypes."""
    try:
        return ITEMSIZES[dtype]
    except KeyError:
        known = ", ".join(ITEMSIZES)
        raise NetledgerError(f"unknown dtype '{dtype}'; the dtypes are {known}") from None
