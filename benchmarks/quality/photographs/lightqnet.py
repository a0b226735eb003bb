"""Scores of LightQNet (Chen et al. 2021) for a folder of aligned faces, by its published network in OpenCV.

`python -m benchmarks.quality.photographs.lightqnet NETWORK.pb FACES --out scores.csv` writes `path,score`, one row a
picture of FACES. The network takes 96 x 96 BGR in -1..1 and has one output; it is not part of this project (MIT).
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

SIDE = 96
BATCH = 64


class LightQNet:
    """The network of a `.pb` file."""

    def __init__(self, path: str | Path) -> None:
        self._network = cv2.dnn.readNetFromTensorflow(str(path))

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return scores float64 (N,) of aligned faces uint8 RGB (N, H, W, 3); higher is better."""
        parts = []
        for start in range(0, len(images), BATCH):
            small = [cv2.resize(image[..., ::-1], (SIDE, SIDE)) for image in images[start : start + BATCH]]
            self._network.setInput(((np.stack(small).astype(np.float32) - 128) / 128).transpose(0, 3, 1, 2))
            parts.append(self._network.forward().reshape(-1))
        return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path, help="the published .pb file")
    parser.add_argument("faces", type=Path, help="folder of aligned faces")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    options = parser.parse_args(arguments)
    network = LightQNet(options.network)
    files = sorted(path for path in options.faces.rglob("*") if path.suffix.lower() in (".png", ".jpg"))
    with options.out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "score"])
        for start in range(0, len(files), BATCH):
            part = files[start : start + BATCH]
            images = np.stack([cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) for path in part])
            for path, score in zip(part, network.score(images), strict=True):
                rows.writerow([path.relative_to(options.faces), repr(float(score))])


if __name__ == "__main__":
    main()
