"""Reads the user's licensed FLAME files as plain arrays of checked shapes.

A folder holds `generic_model.pkl` (or `generic_model.npz` with the same arrays), `FLAME_texture.npz`, and
`head_template.obj` with the texture coordinates.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from synfiqa.actors.generation.face_model.flame_pickle import read_flame_pickle
from synfiqa.schemas.errors import UserError

VERTICES, TRIANGLES, JOINTS = 5023, 9976, 5
SHAPES, TEXTURES, EXPRESSIONS = 100, 50, 50
"""Numbers of coefficients used, the first ones of 300, of 200 and of 100."""
PARENTS = (-1, 0, 1, 1, 1)
"""Parents of the joints root, neck, jaw and both eyes."""
TEXTURE_SOURCE = 512

_FIRST_EXPRESSION = 300
_MODEL = {
    "v_template": (VERTICES, 3),
    "shapedirs": (VERTICES, 3, 400),
    "posedirs": (VERTICES, 3, 36),
    "J_regressor": (JOINTS, VERTICES),
    "weights": (VERTICES, JOINTS),
    "kintree_table": (2, JOINTS),
}


@dataclass(frozen=True)
class FlameArrays:
    """The arrays of FLAME that are used; float32 and int64."""

    template: np.ndarray  # (V, 3) metres
    shape_basis: np.ndarray  # (V, 3, 100)
    expression_basis: np.ndarray  # (V, 3, 50)
    pose_basis: np.ndarray  # (V, 3, 36)
    joint_regressor: np.ndarray  # (5, V)
    weights: np.ndarray  # (V, 5)
    faces: np.ndarray  # (F, 3)
    uv: np.ndarray  # (U, 2) 0..1, v upwards
    uv_faces: np.ndarray  # (F, 3)
    texture_mean: np.ndarray  # (256, 256, 3) BGR 0..255
    texture_basis: np.ndarray  # (256, 256, 3, 50)


def read_flame(folder: Path) -> FlameArrays:
    """Return the arrays of a FLAME folder; UserError names the file and what is wrong with it."""
    model_file = next(
        (folder / name for name in ("generic_model.pkl", "generic_model.npz") if (folder / name).exists()), None
    )
    if model_file is None:
        raise UserError(
            f"{folder} holds no generic_model.pkl: register at flame.is.tue.mpg.de, download FLAME 2020 and the "
            "texture space, and put generic_model.pkl, FLAME_texture.npz and DECA's head_template.obj into one folder"
        )
    model = _model(model_file)
    faces, uv, uv_faces = _template_obj(folder / "head_template.obj")
    mean, basis = _texture(folder / "FLAME_texture.npz")
    shapes = model["shapedirs"]
    return FlameArrays(
        template=model["v_template"],
        shape_basis=np.ascontiguousarray(shapes[..., :SHAPES]),
        expression_basis=np.ascontiguousarray(shapes[..., _FIRST_EXPRESSION : _FIRST_EXPRESSION + EXPRESSIONS]),
        pose_basis=model["posedirs"],
        joint_regressor=model["J_regressor"],
        weights=model["weights"],
        faces=faces,
        uv=uv,
        uv_faces=uv_faces,
        texture_mean=mean,
        texture_basis=basis,
    )


def _model(path: Path) -> dict[str, np.ndarray]:
    arrays = read_flame_pickle(path) if path.suffix == ".pkl" else _read_npz(path)
    if missing := _MODEL.keys() - arrays.keys():
        raise UserError(f"{path} is no FLAME model: it lacks {', '.join(sorted(missing))}")
    found = {name: _checked(path, name, arrays[name], shape) for name, shape in _MODEL.items()}
    # The root's parent is stored as -1 or as its unsigned equivalent.
    if tuple(arrays["kintree_table"][0, 1:].astype(np.int64)) != PARENTS[1:]:
        raise UserError(f"{path} is no FLAME model: its joints are not root, neck, jaw and two eyes")
    return found


def _read_npz(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole .npz file of plain arrays ({error}): make it again") from error


def _checked(path: Path, name: str, value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if value.shape != shape or value.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: {name} is {value.dtype} {value.shape} instead of numbers {shape}: is this FLAME 2020?"
        )
    # A copy, because arrays of a pickle are views of read-only bytes.
    numbers = np.array(value, dtype=np.float32, order="C")
    if not np.isfinite(numbers).all():
        raise UserError(f"{path}: {name} holds numbers that are not finite: download the file again")
    return numbers


def _template_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return faces, texture coordinates and the faces of these from the OBJ file's v, vt and f lines."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
        count = sum(words[:1] == ["v"] for words in lines)
        uv = np.array([words[1:3] for words in lines if words[:1] == ["vt"]], dtype=np.float32)
        corners = np.array([[corner.split("/")[:2] for corner in words[1:]] for words in lines if words[:1] == ["f"]])
        faces, uv_faces = np.moveaxis(corners.astype(np.int64) - 1, -1, 0)
        if count != VERTICES or faces.shape != (TRIANGLES, 3) or not np.isfinite(uv).all():
            raise ValueError(f"{count} vertices and faces {faces.shape}, not {VERTICES} and {(TRIANGLES, 3)}")
        if faces.min() < 0 or faces.max() >= count or uv_faces.min() < 0 or uv_faces.max() >= len(uv):
            raise ValueError("a face names a vertex that does not exist")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not FLAME's head_template.obj ({error}): take it from DECA's data folder"
        ) from error
    return np.ascontiguousarray(faces), uv, np.ascontiguousarray(uv_faces)


def _texture(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return every second texel of the mean and of the first 50 directions, which is 512 to 256 by nearest texel.

    The directions are read row by row, because all of them take up to 1.3 GB.
    """
    side = TEXTURE_SOURCE
    try:
        with zipfile.ZipFile(path) as archive:
            mean = _rows(archive, "mean.npy", (side, side, 3))
            basis = _rows(archive, "tex_dir.npy", (side, side, 3, 0))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not the FLAME texture space ({error}): download FLAME_texture.npz again") from error
    if not (np.isfinite(mean).all() and np.isfinite(basis).all()):
        raise UserError(f"{path} holds numbers that are not finite: download FLAME_texture.npz again")
    return mean, basis


def _rows(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 [::2, ::2] of an array; a last side of 0 means at least 50, of which the first 50 are returned."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found, fortran, kind = read_header(file)
        first = TEXTURES if shape[-1] == 0 else shape[-1]
        if found[:-1] != shape[:-1] or found[-1] < first or kind.kind not in "fiu":
            raise ValueError(f"{name} is {kind} {found}")

        def part(shape: tuple[int, ...]) -> np.ndarray:
            length = int(np.prod(shape)) * kind.itemsize
            raw = file.read(length)
            if len(raw) != length:
                raise EOFError(f"{name} ends early")
            return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")

        kept = np.empty((found[0] // 2, found[1] // 2, *found[2:-1], first), np.float32)
        if fortran:
            for last in range(first):
                kept[..., last] = part(found[:-1])[::2, ::2]
        else:
            for row in range(found[0]):
                texels = part(found[1:])
                if row % 2 == 0:
                    kept[row // 2] = texels[::2, ..., :first]
    return kept
