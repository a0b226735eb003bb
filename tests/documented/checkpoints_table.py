"""The tables of docs/checkpoints.md, made from `about:` of the files in configs/models/.

`python -m tests.documented.checkpoints_table --write` writes them; without the option it prints what is stale.
"""

from pathlib import Path

import yaml

from tests.documented.page_tables import table, with_table, write_or_compare

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "checkpoints.md"
FOLDER = ROOT / "configs" / "models"
FILES = sorted([*FOLDER.glob("*.yaml"), *(FOLDER / "generative-chain").glob("*.yaml")], key=lambda path: path.name)
"""Files of both tables; those of quality scorers have a page of their own."""
PARTS = (
    *("detector", "pose", "glasses", "expression", "uniqueness", "embedder", "image_text"),
    *("identity_generator", "face_model", "face_encoder", "face_parser", "conditional_diffusion"),
)
"""Parts of the published chain in the order of its table."""
COLUMNS = ("weights", "training_data", "commercial_use", "alternative")


def documents() -> dict[str, dict]:
    """Return the content of every file by its name without suffix."""
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}


def tables() -> dict[str, str]:
    """Return the tables by the name of their place in the page."""
    files = documents()
    places = {path.stem: path.relative_to(ROOT) for path in FILES}
    remarks = [content["about"] for content in files.values() if "part" in content["about"]]
    # Where the card is of another network than the release uses, `chain` describes the latter.
    chain = {about["part"]: about | about.get("chain", {}) for about in remarks}
    rows = [(part, chain[part]["published"], *(chain[part][column] for column in COLUMNS)) for part in PARTS]
    heads = ("role", "published chain", "weights", "training data", "commercial use", "permissive alternative")
    listed = [
        (
            f"[{name}](../{places[name]})",
            next(iter(content["models"].values()))["role"],
            *(content["about"][column] for column in ("published", "weights", "training_data", "commercial_use")),
        )
        for name, content in files.items()
    ]
    names = ("file", "role", "published as", "weights", "training data", "commercial use")
    return {"chain": table(heads, rows), "files": table(names, listed)}


def written(page: str) -> str:
    """Return the page with its tables made anew; ValueError when it lacks a place for one."""
    for name, made in tables().items():
        page = with_table(page, name, made, PAGE)
    return page


if __name__ == "__main__":
    about = "Make the tables of docs/checkpoints.md from configs/models/."
    write_or_compare(PAGE, written, about, "tests.documented.checkpoints_table")
