"""Reads the pickle of a verification set (InsightFace `.bin`) without running anything that it names.

The instructions are those of `pickletools`, which only lists them. Of these a small machine executes the ones that
build lists, tuples, byte strings, text, numbers and truth values. Besides, a set may hold numpy arrays of bytes and
truth values: their constructors are recorded by name and read afterwards, never called. Every other name and every
other instruction is an error.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

_NUMPY = ("numpy.core", "numpy._core")
_ALLOWED = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
        *((f"{core}.multiarray", name) for core in _NUMPY for name in ("_reconstruct", "scalar")),
        *((f"{core}.numeric", "_frombuffer") for core in _NUMPY),
    }
)
_TAKES_ARGUMENT = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 BINUNICODE SHORT_BINUNICODE BINUNICODE8 UNICODE "  # noqa: SIM905
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
_PYTHON_2_TEXT = frozenset({"STRING", "BINSTRING", "SHORT_BINSTRING"})
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


@dataclass(frozen=True)
class _Name:
    """A function or class that the pickle names."""

    module: str
    name: str


@dataclass
class _Call:
    """A recorded call of a named function, and the state that the object would get."""

    called: _Name
    arguments: tuple[Any, ...]
    state: Any = None


def read_bin(data: bytes) -> tuple[list[bytes], list[bool]]:
    """Return the encoded images (2N,) and for each pair (N,) whether it is genuine.

    ValueError, a clause, for anything else, also for names and instructions that no verification set needs.
    """
    try:
        content = _execute(data)
    except ValueError:
        raise
    except Exception as error:  # damaged instructions leave an empty stack, unhashable keys and the like
        raise ValueError(f"its instructions do not fit together ({type(error).__name__})") from error
    if not isinstance(content, list | tuple) or len(content) != 2:
        raise ValueError("it holds no pair of images and labels")
    images = [_bytes(item) for item in _items(content[0], "images")]
    genuine = [_truth(item) for item in _items(content[1], "labels")]
    if len(images) != 2 * len(genuine):
        raise ValueError(f"it holds {len(images)} images for {len(genuine)} pairs, and must hold two a pair")
    return images, genuine


def _execute(data: bytes) -> Any:
    """Return the object that the pickle builds, calls being recorded only."""
    stack: list[Any] = []
    # A dictionary: a list as long as the highest number of a hostile file would fill the memory.
    memo: dict[int, Any] = {}
    for opcode, given, _ in pickletools.genops(data):
        name, argument = opcode.name, cast(Any, given)
        if name in ("PROTO", "FRAME"):
            continue
        if name == "STOP":
            return stack.pop()
        if name in _TAKES_ARGUMENT:
            stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
        elif name in _PYTHON_2_TEXT:
            stack.append(argument.encode("latin1"))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument)])
        elif name in _STEPS:
            _STEPS[name](stack, argument)
        elif name in _TUPLES:
            items = [stack.pop() for _ in range(_TUPLES[name])]
            stack.append(tuple(reversed(items)))
        else:
            raise ValueError(f"it has the instruction {name}, which no verification set needs")
    raise ValueError("it ends too early")


def _to_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - next(i for i, item in enumerate(reversed(stack)) if item is _MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _extend(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise ValueError("it appends to something that is no list")
    stack[-1].extend(items)


def _named(module: str, name: str) -> _Name:
    if (module, name) not in _ALLOWED:
        raise ValueError(f"it names {module}.{name}, which no verification set needs")
    return _Name(module, name)


def _global(stack: list[Any], argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    stack.append(_named(module, name))


def _stack_global(stack: list[Any], argument: Any) -> None:
    name, module = _text(stack.pop()), _text(stack.pop())
    stack.append(_named(module, name))


def _reduce(stack: list[Any], argument: Any) -> None:
    arguments, called = stack.pop(), stack.pop()
    if not isinstance(called, _Name) or not isinstance(arguments, tuple):
        raise ValueError("it calls something that is no function")
    stack.append(_Call(called, arguments))


def _build(stack: list[Any], argument: Any) -> None:
    state = stack.pop()
    if not isinstance(stack[-1], _Call):
        raise ValueError("it sets the state of something that has none")
    stack[-1].state = state


_STEPS: dict[str, Callable[[list[Any], Any], None]] = {
    "MARK": lambda stack, argument: stack.append(_MARK),
    "EMPTY_LIST": lambda stack, argument: stack.append([]),
    "LIST": lambda stack, argument: stack.append(_to_mark(stack)),
    "TUPLE": lambda stack, argument: stack.append(tuple(_to_mark(stack))),
    "APPEND": lambda stack, argument: _extend(stack, [stack.pop()]),
    "APPENDS": lambda stack, argument: _extend_marked(stack),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "BUILD": _build,
}


def _extend_marked(stack: list[Any]) -> None:
    items = _to_mark(stack)
    _extend(stack, items)


def _items(value: Any, what: str) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, _Call):
        kind, raw = _array(value)
        if kind == "b1":
            return [bool(byte) for byte in raw]
    raise ValueError(f"its {what} are no list")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, _Call) and value.called.name == "encode":
        return _encoded(value)
    if isinstance(value, _Call):
        kind, raw = _array(value)
        if kind == "u1":
            return raw
    raise ValueError("one of its images is no byte string")


def _truth(value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    if isinstance(value, _Call) and value.called.name == "scalar":
        kind, raw = value.arguments
        if _kind(kind) == "b1":
            return bool(_raw(raw)[0])
    raise ValueError("one of its labels is neither true nor false")


def _array(call: _Call) -> tuple[str, bytes]:
    """Return the type and the bytes of a recorded array."""
    if call.called.name == "_reconstruct" and isinstance(call.state, tuple) and len(call.state) == 5:
        return _kind(call.state[2]), _raw(call.state[4])
    if call.called.name == "_frombuffer" and len(call.arguments) == 4:
        return _kind(call.arguments[1]), _raw(call.arguments[0])
    raise ValueError("it holds an object that is no array")


def _kind(value: Any) -> str:
    if not isinstance(value, _Call) or value.called.name != "dtype" or not value.arguments:
        raise ValueError("it holds an array without a type")
    return _text(value.arguments[0])


def _raw(value: Any) -> bytes:
    if isinstance(value, _Call) and value.called.name == "encode":
        return _encoded(value)
    if not isinstance(value, bytes):
        raise ValueError("the content of one of its arrays is no byte string")
    return value


def _encoded(call: _Call) -> bytes:
    # Protocol 2 of Python 3 writes bytes as text that is to be encoded.
    text, *encoding = call.arguments
    if encoding not in (["latin1"], ["latin-1"]) or not isinstance(text, str):
        raise ValueError("it encodes text in a way that no verification set needs")
    return text.encode("latin1")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin1")
    if not isinstance(value, str):
        raise ValueError("a name in it is no text")
    return value
