"""Measure the scorers without training in units of plain forward passes of the same network.

`python -m benchmarks.speed.networks.froq` prints for a recogniser: calibration of FROQ against its forward passes and
against a sweep a group of 20 modules as released; FROQ's inference against a plain pass; GraFIQs in batches of 8
against one by one; SER-FIQ against a plain pass. Ratios are of CPU seconds of one thread. `--models
configs/models-test.yaml --embedder random-insightface-r50` measures another recogniser.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from synfiqa.actors.model_store.cache import locate
from synfiqa.actors.model_store.catalogue import Catalogue, bundled
from synfiqa.actors.model_store.checks.canary import canary_images
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.quality.training_free.froq.layer_norms import layer_norms, submodules
from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings, pseudo_labels
from synfiqa.actors.quality.training_free.grafiqs import Grafiqs
from synfiqa.actors.quality.training_free.recogniser import recogniser_of
from synfiqa.actors.quality.training_free.ser_fiq import SerFiq
from synfiqa.actors.recognition.network_embedder import NetworkEmbedder

GROUP = 20
"""Modules of a sweep of the released code."""


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--embedder", default="bundled-a", help="name of the recogniser")
    parser.add_argument("--models", default="", help="YAML file of models that it is in, if not bundled")
    options = parser.parse_args()
    # One thread: waiting threads of a busy machine count as CPU seconds.
    torch.set_num_threads(1)
    images = canary_images(options.images)
    model = Catalogue.load(options.models).model(options.embedder, "embedder")
    found = recogniser_of(model, "benchmark")
    settings = LabelSettings()

    def plain() -> None:
        for inputs, _ in found.calls(images):
            with torch.inference_mode():
                found.module(inputs)

    forward = _cpu(plain, 3) / len(images)
    few = images[: max(8, len(images) // 8)]
    labels = _cpu(lambda: pseudo_labels(found, few, settings), 1) / len(few)
    sweep = _cpu(lambda: layer_norms(found, images), 3) / len(images)
    names = list(layer_norms(found, images[:1]))
    one = _cpu(lambda: layer_norms(found, images, names[-1:]), 3) / len(images)
    total, passes = labels + sweep, settings.forwards + 1
    sweeps = -(-len(submodules(found.module)) // GROUP)
    print(f"plain pass {1e3 * forward:.2f} CPU-ms a face (with its input, calls of {found.batch})")
    print(f"calibration / {passes} passes: {total / (passes * forward):.2f}")
    print(f"one sweep over {len(names)} modules / one pass: {sweep / forward:.2f}")
    print(f"calibration by a sweep a module / ours: {(labels + len(names) * one) / total:.2f}")
    print(f"calibration by {sweeps} sweeps of {GROUP} modules / ours: {(labels + sweeps * one) / total:.2f}")
    print(f"FROQ inference / one pass: {one / forward:.2f}")
    quality = bundled()
    single = replace(found, network=NetworkEmbedder(model.card, locate(model), Execution(micro_batch=1)).network)
    batched, alone = Grafiqs(quality["grafiqs"].card, found), Grafiqs(quality["grafiqs"].card, single)
    together = _cpu(lambda: batched.score(images), 1)
    apart = _cpu(lambda: alone.score(images), 1)
    print(f"GraFIQs one by one / in calls of {found.batch}: {apart / together:.2f}")
    print(f"GraFIQs / one pass: {together / len(images) / forward:.2f}")
    scorer = SerFiq(quality["ser-fiq"].card, found)
    print(f"SER-FIQ of 100 masks / one pass: {_cpu(lambda: scorer.score(images), 1) / len(images) / forward:.2f}")


def _cpu(call: Callable[[], object], rounds: int) -> float:
    """Return CPU seconds of a call, the least of several after one that warms up."""
    seconds = []
    for _ in range(rounds + 1):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds[1:])


if __name__ == "__main__":
    main()
