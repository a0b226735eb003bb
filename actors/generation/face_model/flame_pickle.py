"""Reads the pickle file of FLAME without running its code and without chumpy.

A pickle names the classes and functions to be called. Here every name is mapped to a placeholder of this module that
only stores its arguments; arrays are then made from their bytes, and a name without a placeholder is an error. So no
code of the file can run.
"""

import re
from collections.abc import Callable
from pathlib import Path
from pickle import Unpickler, UnpicklingError
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix

from synfiqa.schemas.errors import UserError


class _Held:
    """Placeholder of an object in the file: its constructor's arguments, and its state."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Held):
    """A numpy array: state is (version, shape, type, whether columns run first, bytes)."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        _, shape, kind, fortran, raw = self.state
        number = kind.value()
        found = np.frombuffer(_bytes(raw), number)
        return found.reshape(shape, order="F" if fortran else "C")


class _Type(_Held):
    """A numpy type of plain numbers: arguments are (name, ...), state begins (version, byte order)."""

    __slots__ = ()

    def value(self) -> np.dtype:
        name = self.arguments[0]
        if not re.fullmatch(r"[fiub][1248]", name):
            raise UnpicklingError(f"it holds an array of type {name!r}, which is no plain number")
        order = self.state[1] if self.state else "="
        return np.dtype(f"{order if order in '<>' else '='}{name}")


class _Chumpy(_Held):
    """A chumpy array: state is its attributes, of which x is the values."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        return _value(self.state["x"])


class _Sparse(_Held):
    """A scipy matrix in compressed columns: state is its attributes."""

    __slots__ = ()

    def value(self) -> np.ndarray:
        parts = tuple(_value(self.state[name]) for name in ("data", "indices", "indptr"))
        matrix = csc_matrix(parts, shape=tuple(int(side) for side in self.state["_shape"]))
        # Indices outside the matrix would make the expansion write outside its memory.
        matrix.check_format(full_check=True)
        return matrix.toarray()


class _Function:
    """A function that the file may call, without settable attributes."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise UnpicklingError("it tries to change a function")


def _made(kind: type, *_: Any) -> _Held:
    if not (isinstance(kind, type) and issubclass(kind, _Held)):
        raise UnpicklingError("it makes an object of something that is no class")
    return kind()


def _from_buffer(raw: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.state = (1, shape, kind, order == "F", raw)
    return array


def _bytes(raw: Any) -> bytes:
    # Strings of Python 2 arrive as text, one character a byte.
    return raw.encode("latin1") if isinstance(raw, str) else bytes(memoryview(raw))


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    if encoding != "latin1":
        raise UnpicklingError(f"it encodes text as {encoding!r}")
    return text.encode("latin1")


def _no_bytes(*arguments: Any) -> bytes:
    if arguments:
        raise UnpicklingError("it makes bytes of other objects")
    return b""


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("chumpy.ch", "Ch"): _Chumpy,
    ("_codecs", "encode"): _Function(_encoded),
    **{(module, "_reconstructor"): _Function(_made) for module in ("copy_reg", "copyreg")},
    **{(module, "object"): _Held for module in ("__builtin__", "builtins")},
    **{(module, "bytes"): _Function(_no_bytes) for module in ("__builtin__", "builtins")},
    **{(module, "set"): _Function(tuple) for module in ("__builtin__", "builtins")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Function(_made) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _Function(_Held) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _Function(_from_buffer) for core in ("core", "_core")},
    **{(f"scipy.sparse.{module}", "csc_matrix"): _Sparse for module in ("csc", "_csc")},
}


class _Reader(Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _NAMES[module, name]
        except KeyError:
            raise UnpicklingError(f"it names {module}.{name}, which no FLAME file needs") from None


def read_flame_pickle(path: Path) -> dict[str, np.ndarray]:
    """Return every array of the file by its name; UserError for other objects and for damaged files."""
    try:
        with path.open("rb") as file:
            content = _Reader(file, encoding="latin1").load()
        if not isinstance(content, dict):
            raise UnpicklingError("it holds no dictionary of arrays")
        held = (_Array, _Chumpy, _Sparse)
        return {str(name): _value(value) for name, value in content.items() if isinstance(value, held)}
    except Exception as error:  # damaged bytes raise errors of any type
        line = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{path} is no FLAME model ({line}): download generic_model.pkl of FLAME 2020 again") from error


def _value(held: Any) -> np.ndarray:
    if not isinstance(held, _Array | _Chumpy | _Sparse):
        raise UnpicklingError(f"it holds a {type(held).__name__.lstrip('_')} where an array belongs")
    return held.value()
