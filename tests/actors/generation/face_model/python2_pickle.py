"""Writes pickles like Python 2, as FLAME is distributed, with a stand-in for chumpy's arrays."""

import pickle
import struct
import sys
from types import ModuleType
from typing import ClassVar

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Writes bytes as the strings of Python 2, in protocol 2."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def save_bytes(self, value):
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes


class Ch:
    """As chumpy's arrays do, this one leaves what it caches out of its state."""

    def __init__(self, values):
        self.x = values
        self._dirty_vars = {"x"}
        self._itr = None

    def __setstate__(self, state):
        raise AssertionError("the file ran code of chumpy")


def chumpy_array(values):
    return Ch(values)


def write(path, content):
    """Write the content with `chumpy.ch.Ch` importable for the pickler, and not afterwards."""
    module = ModuleType("chumpy.ch")
    module.Ch = Ch
    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    sys.modules["chumpy"], sys.modules["chumpy.ch"] = ModuleType("chumpy"), module
    try:
        with path.open("wb") as file:
            Python2Pickler(file).dump(content)
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def as_distributed(model):
    """Return the arrays of a model as FLAME's file holds them: some in chumpy, one sparse, and names beside them."""
    from scipy.sparse import csc_matrix

    chumpy = {name: chumpy_array(model[name]) for name in ("shapedirs", "v_template")}
    return {
        **model,
        **chumpy,
        "J_regressor": csc_matrix(model["J_regressor"]),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
        "scalar": np.float64(3.0),
    }
