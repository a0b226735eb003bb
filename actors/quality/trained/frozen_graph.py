"""Reads the constants of a frozen TensorFlow graph (.pb) as torch tensors, without TensorFlow.

Field numbers are those of TensorFlow's graph.proto, node_def.proto, attr_value.proto, tensor.proto and
tensor_shape.proto.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synfiqa.actors.face_analysis.onnx_file import wire_fields
from synfiqa.actors.model_store.state import read_state
from synfiqa.schemas.errors import UserError

_FLOAT = 1
"""DT_FLOAT; constants of other types (shapes, axes) are no weights."""
_ORDERS: dict[str, tuple[int, ...]] = {"Conv2D": (3, 2, 0, 1), "DepthwiseConv2dNative": (2, 3, 0, 1), "MatMul": (1, 0)}
"""Operation -> order of the axes of its weights in torch: TensorFlow keeps (H, W, in, out) and (in, out)."""


class Node:
    """A node of the graph: name, operation, names of the nodes that it reads, and its constant, if it is one."""

    def __init__(self, message: memoryview) -> None:
        self.name, self.operation = "", ""
        self.inputs: list[str] = []
        self._attributes: dict[str, memoryview] = {}
        for number, value in wire_fields(message):
            if not isinstance(value, memoryview):
                continue
            if number == 1:
                self.name = bytes(value).decode()
            elif number == 2:
                self.operation = bytes(value).decode()
            elif number == 3:
                # `^name` orders execution alone, `name:0` counts outputs.
                self.inputs.append(bytes(value).decode().lstrip("^").partition(":")[0])
            elif number == 5:
                entry = _views(value)
                self._attributes[bytes(entry[1]).decode()] = entry[2]

    def constant(self) -> np.ndarray | None:
        """Return float32 values of a constant; None for other nodes and types. ValueError where they are damaged."""
        if self.operation != "Const" or "value" not in self._attributes:
            return None
        return _values(_views(self._attributes["value"])[8], self.name)


def read_frozen_graph(path: Path) -> Mapping[str, Any]:
    """Return the float constants of a frozen graph by node name, in torch's order of axes; of others `read_state`.

    What a constant is follows from the operation that reads it: convolution, depthwise convolution, matrix product or a
    vector. The content decides whether it is a graph. UserError for one that is damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): fetch it again") from error
    if not is_frozen_graph(content):
        return read_state(path)
    try:
        nodes = list(nodes_of(content))
        return _state(nodes)
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(f"{path} is no whole frozen TensorFlow graph ({error}): fetch it again") from error


def is_frozen_graph(content: bytes) -> bool:
    """Return whether a file begins with a node of a graph: a message whose first field is a printable name."""
    try:
        number, node = next(wire_fields(memoryview(content)))
        inner, name = next(wire_fields(node)) if isinstance(node, memoryview) else (0, None)
        return number == inner == 1 and isinstance(name, memoryview) and bytes(name).decode().isprintable()
    except (ValueError, IndexError, StopIteration):
        # A cut file can end inside its first node; no other format of weights begins with these two bytes.
        return content[:1] == b"\n" and b"\n" in content[2:4]


def nodes_of(content: bytes) -> Iterator[Node]:
    """Yield the nodes of a graph in their order."""
    for number, value in wire_fields(memoryview(content)):
        if number == 1 and isinstance(value, memoryview):
            yield Node(value)


def _state(nodes: Iterable[Node]) -> dict[str, Tensor]:
    nodes = list(nodes)
    # A frozen variable is read through an Identity.
    through = {node.name: node.inputs[0] for node in nodes if node.operation == "Identity" and node.inputs}
    orders: dict[str, tuple[int, ...]] = {}
    for node in nodes:
        if node.operation in _ORDERS and len(node.inputs) > 1:
            orders[through.get(node.inputs[1], node.inputs[1])] = _ORDERS[node.operation]
    found: dict[str, Tensor] = {}
    for node in nodes:
        if (values := node.constant()) is not None:
            order = orders.get(node.name)
            if order and len(order) != values.ndim:
                raise ValueError(f"{node.name} has {values.ndim} axes instead of {len(order)}")
            found[node.name] = torch.from_numpy(np.array(values.transpose(order) if order else values, order="C"))
    return found


def _values(tensor: memoryview, name: str) -> np.ndarray | None:
    kind, values = 0, b""
    shape: tuple[int, ...] = ()
    for number, value in wire_fields(tensor):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, memoryview):
            shape = tuple(_side(side) for field, side in wire_fields(value) if field == 2)
        elif number in (4, 5) and isinstance(value, memoryview):
            # 4: all values as bytes; 5: a list of floats, which may stop where the last one repeats.
            values += bytes(value)
    if kind != _FLOAT:
        return None
    count = int(np.prod(shape, dtype=np.int64))
    numbers = np.frombuffer(values, "<f4")
    if not len(numbers) or len(numbers) > count:
        raise ValueError(f"{name} holds {len(numbers)} numbers for {count} values")
    return np.pad(numbers, (0, count - len(numbers)), mode="edge").reshape(shape)


def _side(message: memoryview | int | None) -> int:
    sizes = [value for number, value in wire_fields(message) if number == 1] if isinstance(message, memoryview) else []
    return sizes[-1] if sizes and isinstance(sizes[-1], int) else 0


def _views(message: memoryview) -> dict[int, memoryview]:
    return {number: value for number, value in wire_fields(message) if isinstance(value, memoryview)}
