"""The table of one candidate unit as it leaves the generator: fresh candidates, and those that could not be made."""

import json
from collections.abc import Sequence

import pyarrow as pa

from synfiqa.schemas.rows import CANDIDATES


def fresh_candidate(unit: int, number: int, seed: int, image: bytes, attributes: dict) -> dict:
    """Return the row of a candidate that is generated, not yet measured or judged; `image` is a JPEG."""
    return {
        "candidate": number,
        "unit": unit,
        "seed": seed,
        "image": {"bytes": image, "path": f"candidate-{number:08d}.jpg"},
        "attributes": json.dumps(attributes, sort_keys=True),
        "status": "",
        "reason": "",
        "error": "",
    }


def dead_candidate(unit: int, number: int, seed: int, error: str) -> dict:
    """Return the row of a candidate that could not be made."""
    return {"candidate": number, "unit": unit, "seed": seed, "status": "dead", "reason": "", "error": error}


def candidate_table(rows: Sequence[dict]) -> pa.Table:
    """Return the rows as a unit of the ledger, undecided."""
    return pa.Table.from_pylist(list(rows), schema=CANDIDATES)


def candidate_numbers(plan: dict) -> list[int]:
    """Return the candidates a unit is planned to hold: a range, or the dead ones that a replay makes again."""
    if "candidates" in plan:
        return list(plan["candidates"])
    return list(range(plan["first"], plan["first"] + plan["count"]))
