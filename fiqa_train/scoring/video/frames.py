"""Frames of a video with their times, decoded by PyAV (extra `video`)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from synfiqa.schemas.errors import UserError

RATE = 5.0
"""Frames taken per second: a face changes little between them, and each costs a search."""
SUFFIXES = frozenset((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv"))
"""File name endings (lower case) of videos inside a folder; a file named directly may have any."""


def find_videos(paths: Sequence[str | Path]) -> list[Path]:
    """List the files named and all videos below the folders named, sorted within each, none twice.

    UserError when a path does not exist or nothing is found.
    """
    found: dict[Path, None] = {}
    for path in (Path(path).expanduser() for path in paths):
        if path.is_dir():
            inside = (folder / name for folder, _, names in path.walk() for name in names)
            found |= dict.fromkeys(sorted(file for file in inside if file.suffix.lower() in SUFFIXES))
        elif path.exists():
            found[path] = None
        else:
            raise UserError(f"{path} does not exist: name videos, or folders of them")
    if not found:
        raise UserError(f"there is no video in {', '.join(map(str, paths))}: name files, or folders with videos")
    return list(found)


def require_decoder() -> ModuleType:
    """Return PyAV; UserError naming the extra where it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UserError("videos need PyAV: install the extra with `pip install 'synfiqa[video]'`") from error
    module: ModuleType = av
    return module


def frames(path: Path, rate: float = RATE, start: float = 0.0) -> Iterator[tuple[float, np.ndarray]]:
    """Yield seconds from the begin and pixels, uint8 RGB (H, W, 3) upright, of at most `rate` frames a second.

    `start` leaves out what is earlier. ValueError, one sentence, for a file without video, or a damaged one.
    """
    av = require_decoder()
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            origin = float((stream.start_time or 0) * (stream.time_base or 0))
            if start:
                container.seek(int((start + origin) / stream.time_base), stream=stream)
            wanted = start
            for number, frame in enumerate(container.decode(stream)):
                time = frame.time - origin if frame.time is not None else number / float(stream.average_rate or 25)
                # Times of frames are rounded to the time base.
                if time >= wanted - 1e-3:
                    yield time, upright(frame)
                    wanted = max(wanted + 1 / rate, time - 1 / rate)
    except av.error.FFmpegError as error:
        raise ValueError(f"{path} cannot be decoded ({error.strerror or error})") from error


def frame_at(path: Path, time: float) -> np.ndarray:
    """Return the frame at a time in seconds; ValueError where the video has ended before."""
    for _, image in frames(path, start=max(0.0, time - 1e-3)):
        return image
    raise ValueError(f"{path} has no frame at {time:.3f} s")


def upright(frame: Any) -> np.ndarray:
    """Return the pixels of a frame, turned as its display matrix states (phones store rotated video)."""
    image: np.ndarray = frame.to_ndarray(format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image
