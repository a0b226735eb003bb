"""Trains every bundled network again, from this code alone.

Renders train two embedders and the image-text network; then an ordinary run (`configs/default-model.yaml`), annotated
by them and labelled by a real recogniser, trains the quality model that `synfiqa score` uses by default. The quality
model of portraits learns from renders and their degraded copies alone, by `configs/train/dsl-fiqa-compact.yaml`.
"""

import json
import sys
from pathlib import Path

import yaml

from synfiqa.actors.model_store.architectures.extras import require_extra
from synfiqa.actors.model_store.catalogue import BUNDLED, Catalogue
from synfiqa.cluster.pipeline.ray_session import ray_session
from synfiqa.cluster.run.generations import current
from synfiqa.cluster.run.manifest import RecipeChanged, load_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.bundled.everything import NETWORKS, train_networks
from synfiqa.fiqa_train.bundled.portrait_model.dsl_model import train_portrait_quality
from synfiqa.fiqa_train.bundled.publish import publish_quality
from synfiqa.fiqa_train.evaluation.document import EVALUATION
from synfiqa.fiqa_train.training.checkpoints import BUNDLED_FILE, load_trained, model_folder
from synfiqa.jobs.config import load_config
from synfiqa.jobs.generation.dataset import make_dataset
from synfiqa.jobs.workflows.whole_run import run_all
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import EvaluationResult, parse
from synfiqa.schemas.model_card import ModelCard

CONFIGS = Path(__file__).parents[2] / "configs"
CONFIG = CONFIGS / "default-model.yaml"
PORTRAIT_CONFIG = CONFIGS / "train" / "dsl-fiqa-compact.yaml"
WORK = Path("runs/bootstrap")
TEACHER = "dlib"
"""Embedder whose centred space a student learns when no other is named."""
FIELDS = dict(zip(NETWORKS, ("embedder", "evaluation_embedder", "image_text"), strict=True))
"""Network -> the field of section `models` in which a run names it."""


def run_bootstrap(out: Path | None, seed: int, part: str, teacher: str = TEACHER, run: str = "") -> None:
    """Train the `networks`, the `quality` model, a `student` of a recogniser, the model of portraits (`dsl`), or `all`.

    Digests and figures are printed.

    Without `out` they replace those of this checkout. `quality` alone uses the networks that are there. A student
    learns the centred space of `teacher`, an embedder of the built-in catalogue, on the faces of `run` or else of the
    quality model's. UserError, first of all, when the recogniser that labels the quality model's run is not installed.
    """
    folder = out or BUNDLED
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: give --out the name of a folder")
    if part in ("all", "quality"):
        # The run finds it out too, when the networks are trained already.
        require_extra(Catalogue.load().model(load_config(str(CONFIG)).label.embedder, "embedder").card)
    if part in ("all", "networks"):
        for card in train_networks(folder, seed, WORK):
            _print_card(card)
    if part in ("all", "quality"):
        _print_card(bootstrap_quality(folder, out / BUNDLED_FILE.name if out else BUNDLED_FILE, seed))
    if part in ("all", "student"):
        _print_card(bootstrap_student(folder, seed, teacher, run))
    if part in ("all", "dsl"):
        _print_card(train_portrait_quality(folder, seed, load_config(str(PORTRAIT_CONFIG)).train))


def bootstrap_student(folder: Path, seed: int, teacher: str, run: str = "") -> ModelCard:
    """Train a student of an embedder on the faces of a run; UserError for a name or a run that cannot be had.

    run: folder or URL of a finished run, else that of `bootstrap_quality` is taken, and generated where it is missing.
    """
    import torch

    from synfiqa.fiqa_train.bundled.student.run_faces import faces_of_run
    from synfiqa.fiqa_train.bundled.student.student_network import train_student

    model = Catalogue.load().model(teacher, "embedder")
    require_extra(model.card)
    storage = current(run) if run else _generated(quality_run(folder, seed))
    torch.set_num_threads(1)
    return train_student(model, faces_of_run(storage, model), load_run(storage).fingerprint, folder, seed)


def _generated(config: RunConfig) -> Storage:
    with ray_session():
        return make_dataset(config, current(config.run.url, config.resilience.retry_budget_s)).storage


def bootstrap_quality(networks: Path, target: Path, seed: int, overrides: list[str] | None = None) -> ModelCard:
    """Run `configs/default-model.yaml` under the networks of a folder; its model goes to `target` in half precision."""
    config = quality_run(networks, seed, overrides)
    try:
        run_all(config)
    except RecipeChanged as error:
        raise UserError(
            f"{config.run.url} was begun with other settings or another version; remove it and run the same again"
        ) from error
    storage = Storage(config.run.url)
    folder = model_folder(config.train.name)
    metrics = figures(parse(EvaluationResult, json.loads(storage.read(f"{folder}/{EVALUATION}"))))
    return publish_quality(load_trained(storage, config.train.name), metrics, target)


def quality_run(networks: Path, seed: int, overrides: list[str] | None = None) -> RunConfig:
    """Return the config of the run; its folder is named by networks and seed, so that no other run is in its way.

    The networks are named in a catalogue of their own, because those of the package may be others.
    """
    missing = [file for name in NETWORKS for file in _files(networks, name) if not file.is_file()]
    if missing:
        raise UserError(f"{missing[0]} is missing: train the networks of that folder first, with --part networks")
    cards = {name: yaml.safe_load((networks / f"{name}.yaml").read_text(encoding="utf-8")) for name in NETWORKS}
    folder = WORK / f"quality-{seed}-{'-'.join(card['sha256'][:6] for card in cards.values())}"
    catalogue = folder.with_suffix(".yaml")
    entries = {
        _fresh(name): {key: value for key, value in card.items() if key not in ("name", "source")}
        | {"source": str((networks / f"{name}.safetensors").resolve())}
        for name, card in cards.items()
    }
    catalogue.parent.mkdir(parents=True, exist_ok=True)
    catalogue.write_text(yaml.safe_dump({"models": entries}, sort_keys=False), encoding="utf-8")
    named = [f"models.{field}={_fresh(name)}" for name, field in FIELDS.items()]
    settings = [f"run.seed={seed}", f"models.catalogue={catalogue.resolve()}", *named, *(overrides or [])]
    return load_config(str(CONFIG), settings, str(folder))


def figures(evaluation: EvaluationResult) -> dict[str, float]:
    """Return the figures of an evaluation for the model card: Spearman, and pAUC under the independent network."""
    found = {"spearman": evaluation.spearman["model"], "identities": evaluation.identities}
    for result in evaluation.results:
        if result.independent:
            name = f"{result.mode}_fmr_{result.fmr:g}"
            found |= {
                f"{method}_pauc_{name}": result.methods[method].pauc for method in ("model", "label", "sharpness")
            }
    return {name: round(float(value), 4) for name, value in found.items() if value is not None}


def _files(networks: Path, name: str) -> tuple[Path, Path]:
    return networks / f"{name}.yaml", networks / f"{name}.safetensors"


def _fresh(name: str) -> str:
    return name.replace("bundled", "fresh")


def _print_card(card: ModelCard) -> None:
    lines = [f"{card.name} sha256 {card.sha256}", *(f"  {name}: {value}" for name, value in card.metrics.items())]
    sys.stdout.write("\n".join(lines) + "\n")
