"""Finds the external files of an ONNX model in its protobuf, before any library opens them."""

from collections.abc import Iterator
from pathlib import Path

from synfiqa.schemas.errors import UserError

# Fields of each message that lead to tensors (numbers of onnx.proto).
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2
_MODEL_GRAPH = 7


def onnx_file(path: Path, name: str) -> Path:
    """Return the model file at `path`, or the only one in that folder, after a check of its external files.

    A model in a folder may keep weights in further files inside it, which the card's digest covers. UserError for other
    external files, and for anything but an ONNX file.
    """
    file = _only_model(path, name) if path.is_dir() else path
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"model '{name}': {file} cannot be read ({error.strerror}): fetch it again") from error
    for location in sorted(external_files(content, f"model '{name}': {file.name}")):
        if file is path:
            raise UserError(
                f"model '{name}': {file.name} keeps weights in another file ({location}), which no digest covers: name "
                "the folder that holds both as its source, or save the model as one file"
            )
        # Systems end a path at a zero byte, or refuse it.
        if "\0" in location or not (file.parent / location).resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"model '{name}': {file.name} names {location!r}, outside of its folder: save them beside it"
            )
        if not (file.parent / location).is_file():
            raise UserError(
                f"model '{name}': {file.name} keeps weights in {location}, which is missing: fetch it again"
            )
    return file


def external_files(content: bytes, source: str) -> set[str]:
    """Return the locations of all external tensor data that an ONNX model names; UserError when it is none."""
    try:
        view = memoryview(content)
        if not any(number == _MODEL_GRAPH for number, _ in wire_fields(view)):
            raise ValueError("it holds no graph")
        return {_text(entry, _VALUE) for entry in _entries(view, "model") if _text(entry, _KEY) == "location"}
    except (ValueError, IndexError, RecursionError) as error:
        raise UserError(f"{source} is no whole ONNX model ({error}): fetch it again") from error


def _only_model(folder: Path, name: str) -> Path:
    models = sorted(folder.glob("*.onnx"))
    if len(models) != 1:
        found = ", ".join(path.name for path in models) or "none"
        raise UserError(f"model '{name}': {folder} must hold one .onnx file, not {found}: name the file itself")
    return models[0]


def _entries(message: memoryview, kind: str) -> Iterator[memoryview]:
    """Yield the key-value entries of external data of all tensors below a message.

    Parsers merge a submessage that occurs several times: its lists are joined, so that a search of each finds all.
    """
    if kind == "entry":
        yield message
        return
    children = _CHILDREN[kind]
    for number, value in wire_fields(message):
        if number in children and isinstance(value, memoryview):
            yield from _entries(value, children[number])


def _text(message: memoryview, wanted: int) -> str:
    """Return a text field of a message; of several occurrences the last one counts, as it does for every parser."""
    text = b""
    for number, value in wire_fields(message):
        if number == wanted and isinstance(value, memoryview):
            text = bytes(value)
    return text.decode(errors="replace")


def wire_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int | None]]:
    """Yield number and content of each field of a protobuf message: bytes, an unsigned integer, or None.

    None stands for numbers of fixed length. ValueError or IndexError for damaged bytes.
    """
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        if tag >> 32:
            # Other parsers would drop the upper bits and read another field.
            raise ValueError(f"an overlong field number before byte {position}")
        wire, size = tag & 7, 0
        value: int | None = None
        if wire == 0:
            value, position = _varint(message, position)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        elif wire == 2:
            size, position = _varint(message, position)
        else:
            raise ValueError(f"wire type {wire} at byte {position}")
        if position + size > len(message):
            raise ValueError(f"it ends {position + size - len(message)} bytes early")
        yield tag >> 3, message[position : position + size] if wire == 2 else value
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(f"an overlong number at byte {position}")
