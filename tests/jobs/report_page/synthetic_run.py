"""A whole committed run without any model: drawn faces, seeded factors, and components that follow from them."""

import io
import json

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageFilter

from synfiqa.actors.degradation.recipe_sampler import identity_recipes, reference_recipes
from synfiqa.actors.quality.correlation import spearman
from synfiqa.actors.stages.shard_writer import sample_counts
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.evaluation.compare import Protocol, compare
from synfiqa.fiqa_train.evaluation.pairs import enumerate_pairs, pair_similarity
from synfiqa.fiqa_train.labels.label_pass import read_labels, require_calibration
from synfiqa.fiqa_train.labels.parts import label_digest
from synfiqa.jobs.generation.identity_half import ledger_counts
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.evaluation import TrainingResult, file_content
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import CANDIDATES, SAMPLES, image_path, recipe_to_row, sample_id
from tests.schemas.results import TRAINING, by_network
from tests.schemas.results import evaluation as whole_evaluation

MODELS = {"mtcnn": "c" * 64, "bundled-a": "a" * 64, "bundled-clip": "b" * 64}
REASONS = {"no_face": 0.31, "yaw": -27.0, "expression": 0.66, "glasses": 1.0, "duplicate": 0.71, "surplus": None}


def config(identities: int = 12, per_shard: int = 4, degraded: int = 10, **sections: dict) -> RunConfig:
    generate = {
        "identities": identities,
        "identities_per_shard": per_shard,
        "references": 2,
        "degraded": degraded,
        "candidates_per_unit": 8,
    }
    return RunConfig.model_validate({"generate": generate, **sections})


def face(identity: int, recipe: Recipe, side: int = 48) -> bytes:
    colour = np.random.default_rng(identity).integers(90, 220, 6)
    image = Image.new("RGB", (side, side), tuple(colour[:3].tolist()))
    draw, turn = ImageDraw.Draw(image), recipe.pose.yaw / 90 * side / 4
    draw.ellipse((side * 0.2, side * 0.08, side * 0.8, side * 0.95), fill=tuple(colour[3:].tolist()))
    for x in (0.36, 0.64):
        draw.ellipse((side * x - 3 + turn, side * 0.38, side * x + 3 + turn, side * 0.48), fill=(30, 30, 40))
    draw.line((side * 0.38 + turn, side * 0.74, side * 0.62 + turn, side * 0.74), fill=(120, 40, 50), width=2)
    image = image.filter(ImageFilter.GaussianBlur(recipe.blur - 1))
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=80)
    return sink.getvalue()


def samples(run: RunConfig, identities: range, occluder: str | None = None) -> pa.Table:
    rows = []
    for identity in identities:
        recipes = identity_recipes(run.run.seed, identity, run.generate)
        counter = {"reference": 0, "degraded": 0}
        for recipe in recipes:
            index, harm = counter[recipe.kind], abs(recipe.pose.yaw) / 90 + (recipe.blur + recipe.downsample) / 8 - 0.25
            counter[recipe.kind] += 1
            noise = np.random.default_rng((identity, index)).normal(0, 0.05, 2)
            row = dict.fromkeys(SAMPLES.names) | {k: v for k, v in recipe_to_row(recipe).items() if k in SAMPLES.names}
            row |= {
                "sample_id": sample_id(identity, recipe.kind, index),
                "identity": identity,
                "candidate": identity * 2,
                "kind": recipe.kind,
                "index": index,
                "image": {"bytes": face(identity, recipe), "path": image_path(identity, recipe.kind, index)},
                "measured_yaw": recipe.pose.yaw + 10 * noise[0],
                "recognition": float(np.clip(0.9 - 0.6 * harm + noise[0], -1, 1)),
                "vision_language": float(np.clip(0.4 - 0.2 * harm + noise[1], -0.5, 0.9)),
            }
            if occluder and recipe.occluder != "none":
                row["occluder"] = occluder
            rows.append(row)
    return pa.Table.from_pylist(rows, schema=SAMPLES)


def candidates(unit: int, size: int, first_identity: int, accepted: int, reasons: dict) -> pa.Table:
    rows, names = [], list(reasons)
    for place in range(size):
        number, taken = unit * size + place, place < accepted
        reason = "" if taken else names[number % len(names)]
        recipe = reference_recipes(0, number, 1, "corrected")[0]
        rows.append(
            dict.fromkeys(CANDIDATES.names)
            | {
                "candidate": number,
                "unit": unit,
                "seed": number,
                "image": {"bytes": face(number, recipe), "path": f"candidate-{number:08d}.jpg"},
                "attributes": json.dumps({"skin": "<script>alert('attribute')</script>"}),
                "status": "accepted" if taken else "rejected",
                "reason": reason,
                "value": None if taken else reasons[reason],
                "identity": first_identity + place if taken else None,
                "embedding": [0.5] * 4 if taken else None,
                "error": "",
            }
        )
    return pa.Table.from_pylist(rows, schema=CANDIDATES)


def make_ledger(storage: Storage, run: RunConfig, reasons: dict | None = None) -> ShardStore:
    """Open the run and commit its ledger: half of each unit is accepted until there are enough."""
    manifest = open_run(storage, run, MODELS)
    store = ShardStore(storage, manifest.fingerprint, run.storage.format)
    size, accepted, unit = run.generate.candidates_per_unit, 0, 0
    while accepted < run.generate.identities:
        taken = min(size // 2, run.generate.identities - accepted)
        table = candidates(unit, size, accepted, taken, reasons or REASONS)
        store.commit("identities", unit, table, ledger_counts(table, replayed=0))
        accepted, unit = accepted + taken, unit + 1
    return store


def make_samples(store: ShardStore, run: RunConfig, occluder: str | None = None) -> None:
    """Commit every shard of the run."""
    size, total = run.generate.identities_per_shard, run.generate.identities
    for number in range(-(-total // size)):
        table = samples(run, range(number * size, min(total, (number + 1) * size)), occluder)
        store.commit("samples", number, table, sample_counts(table, ()))


def make_model(storage: Storage, run: RunConfig, names: dict[str, str] | None = None) -> dict:
    """Write the metrics and the evaluation that train and evaluate would, from seeded scores; return the evaluation.

    `names` renames methods, embedders or modes, to see what the page makes of foreign ones.
    """
    random = np.random.default_rng(run.run.seed)
    labels = read_labels(storage, run.label.name).to_pandas()
    label, identity = labels["quality"].to_numpy(float), labels["identity"].to_numpy()
    vectors = random.normal(0, 1, (identity.max() + 1, 32))[identity] * (0.25 + label[:, None])
    vectors += random.normal(0, 0.55, vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    qualities = {
        "model": label + random.normal(0, 0.08, len(label)),
        "label": label,
        "sharpness": label + random.normal(0, 0.6, len(label)),
        "random": random.random(len(label)),
    }
    table = enumerate_pairs(identity, 20_000, 0)
    protocol = Protocol([0.05, 0.02], run.evaluate.discard_limit, 20, 0)
    versus = (("model", "sharpness"), ("model", "random"), ("model", "label"))
    results = compare(qualities, pair_similarity(vectors, table), table, identity, protocol, versus)
    evaluation = whole_evaluation(
        [by_network("bundled-b", True, result) for result in results],
        {name: spearman(quality, label) for name, quality in qualities.items() if name != "label"},
        name=run.train.name,
        identities=len(np.unique(identity)),
        images=len(label),
        degraded=len(label),
        impostors_sampled=True,
        skipped=[{"fmr": 1e-6, "reason": "An FMR of 1e-06 needs at least 1000000 impostor pairs."}],
    )
    text = file_content(evaluation).decode()
    for old, new in (names or {}).items():
        text = text.replace(json.dumps(old), json.dumps(new))
    history = [
        {"epoch": epoch, "loss": 0.2 / epoch, "validation_spearman": 0.9 - 0.4 / epoch, "validation_error": 0.3 / epoch}
        for epoch in range(1, 6)
    ]
    calibration = require_calibration(storage, run.label.name)
    basis = {
        "label": run.label.name,
        "label_sha256": label_digest(calibration),
        "dataset_sha256": calibration.dataset_sha256,
    }
    metrics = TrainingResult(
        name=run.train.name,
        model_sha256="d" * 64,
        best_epoch=4,
        validation_spearman=0.8,
        validation_error=0.075,
        train_images=70,
        identities={"train": 7},
        history=history,
        basis=TRAINING.model_copy(update=basis),
    )
    storage.write(f"models/{run.train.name}/metrics.json", file_content(metrics))
    storage.write(f"models/{run.train.name}/evaluation.json", text.encode())
    return json.loads(text)
