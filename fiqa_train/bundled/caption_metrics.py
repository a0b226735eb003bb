"""Zero-shot accuracy of the dual encoder on held-out renders, and quantiles and ladders of v_l there."""

from collections.abc import Mapping, Sequence

import numpy as np

from synfiqa.actors.image_text.captions import OCCLUSION, REFERENCE_CAPTION, WORDINGS, attributes
from synfiqa.actors.image_text.small_clip import SmallClip
from synfiqa.fiqa_train.bundled.ladders import ladders
from synfiqa.fiqa_train.bundled.render_set import RenderSet
from synfiqa.fiqa_train.bundled.variation import degrade_all, draw_variation
from synfiqa.schemas.seeds import generator

COVERING = ("sunglasses", "mask", "scarf", "hand", "hat", "hair", "object")
"""Occluders that count as occlusion in the metric; clear glasses are excluded."""
UNDISTURBED = {"grain": "clean", "file": "fine", "colour": "natural", "framing": "upright", "lens": "usual"}
"""Classes of a picture without faults of sensor, file, aligner and lens; undisturbed ones are also well exposed."""


def caption_metrics(model: SmallClip, held_out: RenderSet) -> dict[str, float]:
    """Return balanced zero-shot accuracies under random degradation, quantiles of v_l, and its mean along ladders.

    Accuracies of sharpness and light are given twice: over all faces, and ("undisturbed") over those without further
    faults of the capture, since strong noise or darkness can hide both.
    """
    rng = generator(7)
    faces = held_out.select((held_out.part == "clean") | (held_out.part == "varied"))
    recipes = [draw_variation(recipe, rng) for recipe in faces.recipes]
    crops = degrade_all(faces.crops, recipes)
    described = [attributes(recipe) for recipe in recipes]

    calm = np.array(
        [
            entry["light"] not in ("dark", "bright")
            and all(entry[factor] == usual for factor, usual in UNDISTURBED.items())
            for entry in described
        ]
    )

    def accuracy(factor: str, classes: Sequence[str], among: np.ndarray | bool = True) -> float:
        actual = np.array([entry[factor] for entry in described])
        kept = np.isin(actual, classes) & among
        guessed = np.array(classes)[class_scores(model, crops[kept], factor, classes).argmax(axis=1)]
        return balanced_accuracy(actual[kept], guessed)

    occlusion = np.array([entry["occlusion"] for entry in described])
    kept = occlusion != "glasses"
    kinds = np.array(("none", *COVERING))
    guessed = kinds[class_scores(model, crops[kept], "occlusion", ("none", *COVERING)).argmax(axis=1)]
    own = np.isin(held_out.part, ["varied"])
    varied, clean = held_out.select(own), held_out.of("clean")
    as_run = model.similarity(degrade_all(varied.crops, varied.recipes), REFERENCE_CAPTION)
    fifth, median, high = np.quantile(as_run, [0.05, 0.5, 0.95])
    return {
        "sharp_or_blurry": accuracy("sharpness", ("sharp", "blurry")),
        "sharp_or_blurry_undisturbed": accuracy("sharpness", ("sharp", "blurry"), calm),
        "sharpness_of_3": accuracy("sharpness", ("sharp", "soft", "blurry")),
        "frontal_or_profile": accuracy("pose", ("frontal", "profile")),
        "pose_of_3": accuracy("pose", ("frontal", "three-quarter", "profile")),
        "even_or_harsh_light": accuracy("light", ("even", "harsh")),
        "even_or_harsh_light_undisturbed": accuracy("light", ("even", "harsh"), calm),
        "occluded_or_not": balanced_accuracy(occlusion[kept] != "none", guessed != "none"),
        "occluder_of_8": balanced_accuracy(occlusion[kept], guessed),
        "v_l_q05": float(fifth),
        "v_l_median": float(median),
        "v_l_q95": float(high),
        "v_l_max": float(as_run.max()),
        "v_l_reference_median": float(np.median(model.similarity(clean.crops, REFERENCE_CAPTION))),
        **{
            f"v_l_{name}": float(model.similarity(images, REFERENCE_CAPTION).mean())
            for name, images, _ in ladders(held_out)
        },
    }


def class_scores(model: SmallClip, images: np.ndarray, factor: str, classes: Sequence[str]) -> np.ndarray:
    """Return mean cosines (N, len(classes)) to all prompts of each class of a factor."""
    scores = []
    for name in classes:
        prompts = class_prompts(factor, name)
        scores.append(model.similarities(images, prompts).mean(axis=1))
    return np.stack(scores, axis=1)


def class_prompts(factor: str, name: str) -> list[str]:
    """Return the prompts of one class; each also names a state of occlusion, as in training, all states in turn."""
    if factor == "occlusion":
        return [f"a portrait photo of a person {phrase}" for phrase in OCCLUSION[name]]
    wordings: Mapping[str, Sequence[str]] = WORDINGS[factor]
    states = [phrases[0] for phrases in OCCLUSION.values()]
    if factor == "sharpness":
        return [f"a {phrase} portrait photo of a person {state}" for phrase in wordings[name] for state in states]
    return [f"a portrait photo of a person {phrase}, {state}" for phrase in wordings[name] for state in states]


def balanced_accuracy(actual: np.ndarray, guessed: np.ndarray) -> float:
    """Return the mean of the recalls of the classes that occur."""
    return float(np.mean([(guessed[actual == name] == name).mean() for name in np.unique(actual)]))
