"""The table of one freshly generated candidate unit."""

import json
from collections.abc import Sequence

import pyarrow as pa

from schemas.rows import CANDIDATES


def candidate_table(
    unit: int, numbers: Sequence[int], seeds: Sequence[int], images: Sequence[bytes], attributes: Sequence[dict]
) -> pa.Table:
    """Return fresh candidates: generated, not yet measured or judged."""
    rows = [
        {
            "candidate": number,
            "unit": unit,
            "seed": seed,
            "image": {"bytes": image, "path": f"candidate-{number:08d}.jpg"},
            "attributes": json.dumps(commanded, sort_keys=True),
            "status": "",
            "reason": "",
            "error": "",
        }
        for number, seed, image, commanded in zip(numbers, seeds, images, attributes, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=CANDIDATES)
