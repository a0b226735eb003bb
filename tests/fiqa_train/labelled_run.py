"""A run folder made in a second: smooth random faces whose blur decides recognition, so that quality can be learned."""

import cv2
import numpy as np
import pyarrow as pa

from synfiqa.actors.imaging.codec import encode_jpeg
from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.run.manifest import open_run
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.recipe import Recipe
from synfiqa.schemas.rows import SAMPLES, image_path, recipe_to_row, sample_id
from synfiqa.schemas.seeds import derive_seed, generator


def small_config(url, **sections):
    """A config for such a run: tiny network, random start, few epochs."""
    base = {
        "run": {"url": str(url), "seed": 3},
        "generate": {"identities": 12, "identities_per_shard": 3, "references": 2, "degraded": 8},
        "train": {"epochs": 3, "batch_size": 8, "learning_rate": 3e-3, "width": 4, "initialise": "random"},
        "evaluate": {"fmr": (0.05, 0.02), "bootstrap": 20},
    }
    return RunConfig.model_validate({key: {**base.get(key, {}), **sections.get(key, {})} for key in {*base, *sections}})


def portrait(identity, seed=0):
    """A pattern that is an identity's own: three scales of noise, sharp edges included."""
    rng = generator(derive_seed(seed, "portrait", identity))
    layers = [cv2.resize(rng.random((n, n, 3)), (112, 112), interpolation=cv2.INTER_CUBIC) for n in (4, 9, 28)]
    return np.clip(np.sum(layers, axis=0) * 85, 0, 255)


def blurred(image, sigma):
    soft = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else image
    return np.clip(soft, 0, 255).astype(np.uint8)


def rows_of(config, identity):
    for kind, count in (("reference", config.generate.references), ("degraded", config.generate.degraded)):
        for index in range(count):
            rng = generator(derive_seed(config.run.seed, kind, identity, index))
            sigma = 0.0 if kind == "reference" else float(rng.uniform(0, 5))
            noise = rng.normal(0, 6, (112, 112, 3))
            image = blurred(np.clip(portrait(identity) + noise, 0, 255), sigma)
            recipe = Recipe(kind=kind, seed=index, blur=1 + sigma / 2)
            yield {
                **dict.fromkeys(SAMPLES.names),
                **recipe_to_row(recipe),
                "sample_id": sample_id(identity, kind, index),
                "identity": identity,
                "candidate": identity,
                "index": index,
                "image": {"bytes": encode_jpeg(image, 90), "path": image_path(identity, kind, index)},
                "measured_yaw": float(rng.uniform(0, 1)),
                "recognition": 1 - sigma / 6,
                "vision_language": 0.2,
            }


def make_run(url, labels=True, **sections):
    """Write the run folder and return (config, storage)."""
    config = small_config(url, **sections)
    storage = Storage(str(url))
    manifest = open_run(storage, config, {"synthetic": "0"})
    store = ShardStore(storage, manifest.fingerprint, config.storage.format)
    size = config.generate.identities_per_shard
    for number in range(-(-config.generate.identities // size)):
        identities = range(number * size, min((number + 1) * size, config.generate.identities))
        table = pa.Table.from_pylist([row for i in identities for row in rows_of(config, i)], schema=SAMPLES)
        store.commit("samples", number, table, {"rows": table.num_rows})
    if labels:
        run_label(config, storage)
    return config, storage
