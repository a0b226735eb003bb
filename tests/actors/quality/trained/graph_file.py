"""Writes frozen TensorFlow graphs of tests, and evaluates them with numpy alone."""

from collections.abc import Mapping

import numpy as np


def varint(number: int) -> bytes:
    """Return a protobuf integer."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, content: bytes | int) -> bytes:
    """Return a field of bytes or of an integer."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def node(name: str, operation: str, inputs: tuple[str, ...] = (), **attributes: bytes) -> bytes:
    """Return a node as a field of the graph."""
    content = field(1, name.encode()) + field(2, operation.encode())
    content += b"".join(field(3, entry.encode()) for entry in inputs)
    content += b"".join(field(5, field(1, key.encode()) + field(2, value)) for key, value in attributes.items())
    return field(1, content)


def constant(name: str, values: np.ndarray, *, listed: bool = False) -> bytes:
    """Return a constant; `listed` writes floats as a list whose last value may repeat, as TensorFlow does."""
    shape = b"".join(field(2, field(1, side)) for side in values.shape)
    kind = 1 if values.dtype == np.float32 else 3
    content = field(5 if listed else 4, values.ravel()[: 1 if listed else None].tobytes())
    return node(name, "Const", dtype=field(6, kind), value=field(8, field(1, kind) + field(2, shape) + content))


def weights(name: str, values: np.ndarray) -> bytes:
    """Return a frozen variable: a constant and the Identity through which operations read it."""
    return constant(name, values) + node(f"{name}/read", "Identity", (name,))


TENSORFLOW = {
    "norm.weight": "BatchNorm/gamma",
    "norm.bias": "BatchNorm/beta",
    "norm.running_mean": "BatchNorm/moving_mean",
    "norm.running_var": "BatchNorm/moving_variance",
}


def lightqnet_graph(state: Mapping[str, np.ndarray]) -> bytes:
    """Return the graph of LightQNet's weights (keys and axes of the torch network), under the published names."""
    found = node("input", "Placeholder")
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        layer, name = _published(key)
        if key == "score.weight":
            found += weights(name, np.ascontiguousarray(value.T)) + node(
                f"{layer}/MatMul", "MatMul", ("x", f"{name}/read")
            )
        elif key == "score.bias":
            found += constant(name, value, listed=True)
        elif key.endswith("conv.weight"):
            deep = "depthwise" in key
            order = (2, 3, 0, 1) if deep else (2, 3, 1, 0)
            operation = "DepthwiseConv2dNative" if deep else "Conv2D"
            found += weights(name, np.ascontiguousarray(value.transpose(order)))
            found += node(f"{layer}/{operation}", operation, ("x", f"{name}/read"))
        else:
            found += weights(name, value)
    return found + constant("UncertaintyModule/Reshape/shape", np.array([-1, 8], np.int32))


def _published(key: str) -> tuple[str, str]:
    """Return the published layer and constant of a key of the torch network."""
    parts, root = key.split("."), "UncertaintyModule/MobilenetV3"
    if parts[0] == "score":
        return (
            "UncertaintyModule/Bottleneck",
            f"UncertaintyModule/Bottleneck/{'weights' if 'weight' in key else 'biases'}",
        )
    if parts[0] == "blocks":
        layer = f"{root}/expanded_conv{'' if parts[1] == '0' else '_' + parts[1]}/{parts[2]}"
    else:
        layer = f"{root}/{'Conv' if parts[0] == 'stem' else 'Conv_1'}"
    last = ".".join(parts[-2:])
    if last == "conv.weight":
        return layer, f"{layer}/{'depthwise_weights' if 'depthwise' in key else 'weights'}"
    return layer, f"{layer}/{TENSORFLOW[last]}"


def evaluate(state: Mapping[str, np.ndarray], image: np.ndarray) -> float:
    """Return LightQNet's score of one image (S, S, 3) by loops over the kernel, in float64 and TensorFlow's padding."""
    x = _layer(state, "stem", image.astype(np.float64), 1)
    strides = {0: 2, 1: 2, 3: 2, 8: 2}
    for index in range(11):
        before, block = x, f"blocks.{index}"
        if f"{block}.expand.conv.weight" in state:
            x = _layer(state, f"{block}.expand", x, 1)
        x = _layer(state, f"{block}.depthwise", x, strides.get(index, 1))
        x = _layer(state, f"{block}.project", x, 1, active=False)
        if x.shape == before.shape and index:
            x = x + before
    pooled = _layer(state, "last", x, 1).mean(axis=(0, 1))
    return float(1 / (1 + np.exp(-(state["score.weight"][0] @ pooled + state["score.bias"][0]))))


def _layer(
    state: Mapping[str, np.ndarray], name: str, x: np.ndarray, stride: int, *, active: bool = True
) -> np.ndarray:
    kernel = state[f"{name}.conv.weight"].astype(np.float64)
    side, size = kernel.shape[2], -(-x.shape[0] // stride)
    total = max((size - 1) * stride + side - x.shape[0], 0)
    padded = np.pad(x, ((total // 2, total - total // 2),) * 2 + ((0, 0),))
    deep = kernel.shape[1] == 1 and kernel.shape[0] == x.shape[2] > 1
    y = np.zeros((size, size, kernel.shape[0]))
    for row in range(side):
        for column in range(side):
            seen = padded[row : row + size * stride : stride, column : column + size * stride : stride][:size, :size]
            y += seen * kernel[:, 0, row, column] if deep else seen @ kernel[:, :, row, column].T
    mean, var, scale, shift = (
        state[f"{name}.norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    y = (y - mean) / np.sqrt(var + np.float64(2e-5)) * scale + shift
    return np.maximum(y, 0) if active else y
