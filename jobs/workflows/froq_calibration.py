"""Calibrates FROQ as its command requests, and prints what was chosen."""

import argparse
from pathlib import Path

from synfiqa.actors.model_store.catalogue import Catalogue
from synfiqa.actors.quality.training_free.froq.calibrate_froq import calibrate_froq
from synfiqa.actors.quality.training_free.froq.froq_file import write_froq
from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings
from synfiqa.fiqa_train.scoring.calibration_faces import calibration_faces
from synfiqa.jobs.terminal.output import say
from synfiqa.schemas.errors import UserError


def run_calibration(options: argparse.Namespace, out: Path) -> None:
    """Write the calibration to `out`; a line for each chosen module, and rho of their mean."""
    if options.seed < 0:
        raise UserError(f"--seed {options.seed} must not be negative")
    permutation = _permutation(options.channels)
    # Fetching is allowed: a person named the network.
    model = Catalogue.load(options.catalogue, offline=False).model(options.embedder, "embedder")
    images, data = calibration_faces(options.data, options.images, options.seed)
    settings = LabelSettings(seed=options.seed)
    found = calibrate_froq(model, images, data, options.mode, settings, permutation)
    write_froq(out, found)
    for module in found.modules:
        say(f"{module.name}: rho {module.rho:+.3f}")
    say(f"{out}: {len(found.modules)} modules of {model.name}, {found.mode}; rho of their mean {max(found.trace):.3f}")


def _permutation(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    numbers = [part.strip() for part in text.split(",")]
    if sorted(numbers) != ["0", "1", "2"]:
        raise UserError(f"--channels {text} must be 0, 1 and 2 in some order, such as 2,1,0 for BGR")
    first, second, third = (int(number) for number in numbers)
    return first, second, third
