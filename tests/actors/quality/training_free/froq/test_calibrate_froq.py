"""FROQ: labels, sweep and search equal plain loops; a file reproduces its scores; what does not fit is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.quality.factories import ScorerSettings, scorer_digests, scorers_of
from synfiqa.actors.quality.training_free.froq.calibrate_froq import calibrate_froq
from synfiqa.actors.quality.training_free.froq.choice import choose
from synfiqa.actors.quality.training_free.froq.froq_file import FroqFile, file_sha256, read_froq, write_froq
from synfiqa.actors.quality.training_free.froq.froq_scorer import FroqScorer
from synfiqa.actors.quality.training_free.froq.layer_norms import layer_norms, submodules
from synfiqa.actors.quality.training_free.froq.pseudo_labels import LabelSettings, noise_images, pseudo_labels
from synfiqa.actors.quality.training_free.recogniser import recogniser_of
from synfiqa.fiqa_train.scoring.sources import load_scorer, open_scorer
from synfiqa.schemas.errors import UserError
from tests.actors.quality.training_free.tiny import IRESNET, faces, network, opened, quality_card

FEW = LabelSettings(grid=2, alphas=(1e-2, 5e-2), noise_images=2, seed=3)
"""11 forward passes a face."""
COUNT = 32


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return network(tmp_path_factory.mktemp("net"), **IRESNET)


@pytest.fixture(scope="module")
def images():
    return faces(COUNT)


@pytest.fixture(scope="module")
def calibration(model, images):
    return calibrate_froq(model, images, "test faces", labels=FEW)


def plain_labels(module, inputs, noise):
    """The label of each input by one forward pass a changed copy."""

    def embed(x):
        with torch.no_grad():
            return module(x[None])[0].double()

    def cosine(x, y):
        return float(torch.nn.functional.cosine_similarity(embed(x), embed(y), dim=0))

    found = []
    for x in inputs:
        squares = []
        for top in (0, 56):
            for left in (0, 56):
                covered = x.clone()
                covered[:, top : top + 56, left : left + 56] = -1
                squares.append(cosine(x, covered))
        noisy = [cosine(x, (1 - alpha) * x + alpha * n) for alpha in FEW.alphas for n in noise]
        found.append([cosine(x, torch.flip(x, dims=[2])), np.mean(squares), np.mean(noisy)])
    return np.array(found)


def plain_norms(module, inputs):
    """The norm of each module's output by a sweep a module, in order of definition."""
    found = {}
    for name, child in module.named_modules():
        seen = []
        handle = child.register_forward_hook(lambda _, __, output, seen=seen: seen.append(output.clone()))
        with torch.no_grad():
            for x in inputs:
                module(x[None])
        handle.remove()
        if name and seen:
            found[name] = np.array([float(output.flatten().double().norm()) for output in seen])
    return found


def plain_choice(norms, labels, mode):
    """The released search, and the improved one, by scipy and lists."""
    rho = {name: spearmanr(values, labels).statistic for name, values in norms.items() if np.ptp(values) > 0}
    key = abs if mode == "improved" else float
    rest = sorted(rho, key=lambda name: -key(rho[name]))[:10]
    read = {name: norms[name] for name in rest}
    if mode == "improved":
        read = {name: np.sign(rho[name]) * (v - v.mean()) / v.std() for name, v in read.items()}
    order, trace = [rest.pop(0)], []
    trace.append(spearmanr(read[order[0]], labels).statistic)
    while rest:
        gains = {n: spearmanr(np.mean([read[o] for o in (*order, n)], axis=0), labels).statistic for n in rest}
        best = max(rest, key=gains.get)
        order.append(best)
        rest.remove(best)
        trace.append(gains[best])
    return order[: int(np.argmax(trace)) + 1], trace


def test_labels_are_the_cosines_of_changed_copies_one_by_one(model, images):
    found = opened(model)
    inputs = network_input(images[:5], model.card)
    expected = plain_labels(found.module, inputs, noise_images(found, FEW))
    assert pseudo_labels(found, images[:5], FEW) == pytest.approx(expected, abs=1e-6)
    assert LabelSettings().forwards == 76


def test_one_sweep_gives_the_norms_of_a_sweep_a_module(model, images):
    found = opened(model)
    measured = layer_norms(found, images[:5])
    expected = plain_norms(found.module, network_input(images[:5], model.card))
    assert measured.keys() == expected.keys()
    for name, values in expected.items():
        assert measured[name] == pytest.approx(values, rel=1e-4)
    assert not any(child._forward_hooks for child in found.module.modules())


@pytest.mark.parametrize("mode", ["released", "improved"])
def test_the_search_is_that_of_the_paper(model, images, mode):
    found = opened(model)
    norms, labels = layer_norms(found, images), pseudo_labels(found, images, FEW).mean(axis=1)
    leaves = frozenset(name for name, child in submodules(found.module).items() if not list(child.children()))
    chosen, trace = choose(norms, labels, mode, leaves)
    taken = norms
    if mode == "improved":
        # Containers and identities whose output is another module's.
        taken = {name: values for name, values in norms.items() if not _repeats(name, norms, leaves)}
        assert len(taken) < len(norms)
    order, expected = plain_choice(taken, labels, mode)
    assert [module.name for module in chosen] == order
    assert trace == pytest.approx(expected, abs=1e-12)
    assert len(trace) == 10


def _repeats(name, norms, leaves):
    equal = [other for other, values in norms.items() if np.array_equal(values, norms[name])]
    return name != next((other for other in equal if other in leaves), equal[-1])


def test_released_scores_are_the_mean_of_raw_norms(model, images):
    released = calibrate_froq(model, images, "test faces", "released", FEW, permutation=(2, 0, 1))
    found = recogniser_of(model, "froq", (2, 0, 1))
    norms = plain_norms(found.module, network_input(images[:4], model.card)[:, [2, 0, 1]])
    expected = np.mean([norms[module.name] for module in released.modules], axis=0)
    assert FroqScorer(quality_card("froq"), found, released).score(images[:4]) == pytest.approx(expected, rel=1e-4)


def test_a_file_gives_the_same_bits_in_another_process(calibration, images, tmp_path):
    path = tmp_path / "mine.froq.json"
    write_froq(path, calibration)
    assert read_froq(path) == calibration
    scorer = open_scorer(str(path))
    scores = scorer.score(images)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    parts = np.concatenate([scorer.score(images[:3]), scorer.score(images[3:])])
    assert parts == pytest.approx(scores, abs=1e-5)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, numpy as np\nfrom synfiqa.actors.quality.factories import ScorerSettings, scorers_of\n"
        "(scorer,) = scorers_of([sys.argv[1]], ScorerSettings(), {}, 'test').values()\n"
        "np.save(sys.argv[3], scorer.score(np.load(sys.argv[2])))"
    )
    again = tmp_path / "scores.npy"
    subprocess.run([sys.executable, "-c", code, path, tmp_path / "images.npy", again], check=True)
    assert np.array_equal(np.load(again), scores)
    assert load_scorer(str(path)).card.sha256 == file_sha256(path)


def test_a_file_is_a_scorer_of_a_config(calibration, images, tmp_path):
    path = str(tmp_path / "mine.froq.json")
    write_froq(tmp_path / "mine.froq.json", calibration)
    found = scorers_of([path, "sharpness"], ScorerSettings(), {}, "evaluate.scorers")
    assert np.isfinite(found[path].score(images[:2])).all()
    assert scorer_digests([path], ScorerSettings()) == {path: file_sha256(tmp_path / "mine.froq.json")}


def test_the_same_data_and_seed_give_the_same_file(calibration, model, images):
    assert calibrate_froq(model, images, "test faces", labels=FEW) == calibration
    other = FEW.model_copy(update={"seed": 4})
    (flip, squares, noise), (flip_4, squares_4, noise_4) = (
        pseudo_labels(opened(model), images[:2], settings).T for settings in (FEW, other)
    )
    assert (flip.tolist(), squares.tolist()) == (flip_4.tolist(), squares_4.tolist())
    assert noise.tolist() != noise_4.tolist()


def test_another_network_is_refused(calibration, tmp_path):
    other = network(tmp_path, **IRESNET, source="random:1")
    with pytest.raises(UserError, match=r"was calibrated with weights .* of mine, not with .*calibrate again"):
        FroqScorer(quality_card("froq"), recogniser_of(other, "froq"), calibration)


def test_a_module_that_is_not_there_is_refused(calibration, model):
    gone = calibration.modules[0].model_copy(update={"name": "layer9.conv"})
    changed = calibration.model_copy(update={"modules": (gone,)})
    with pytest.raises(UserError, match=r"mine has no module 'layer9.conv' \(1 of 1 missing\); calibrate again"):
        FroqScorer(quality_card("froq"), recogniser_of(model, "froq"), changed)


def test_a_changed_digest_in_the_file_is_refused(calibration, tmp_path):
    content = json.loads(calibration.model_dump_json())
    content["embedder"]["sha256"] = "0" * 64
    (tmp_path / "a.froq.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"was calibrated with weights 000000000000\.\.\. of mine"):
        open_scorer(str(tmp_path / "a.froq.json"))


def test_too_few_or_equal_images_are_refused(model, images):
    with pytest.raises(UserError, match="gives 29 images and FROQ needs at least 30: name more, or raise --images"):
        calibrate_froq(model, images[:29], "few", labels=FEW)
    with pytest.raises(UserError, match="activations or labels of mine are constant over the 30 images: name data"):
        calibrate_froq(model, np.repeat(images[:1], 30, axis=0), "one", labels=FEW)


@pytest.mark.parametrize("changes", [{"std": 0.0}, {"sign": 0}, {"name": ""}])
def test_a_file_of_impossible_statistics_is_refused(calibration, tmp_path, changes):
    content = json.loads(calibration.model_dump_json())
    content["modules"][0] |= changes
    path = tmp_path / "bad.froq.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(UserError, match=r"is no FROQ calibration \(modules.0.*make it with `synfiqa froq calibrate`"):
        read_froq(path)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "b.froq.json").write_text("scores", encoding="utf-8")
    with pytest.raises(UserError, match="is no FROQ calibration"):
        open_scorer(str(tmp_path / "b.froq.json"))
    with pytest.raises(UserError, match="cannot be read"):
        open_scorer(str(tmp_path / "absent.froq.json"))


def test_a_permutation_of_a_grey_network_is_refused(tmp_path):
    with pytest.raises(UserError, match="mine takes gray"):
        recogniser_of(network(tmp_path), "froq", (2, 1, 0))


def test_the_file_holds_names_and_origin_as_json(calibration):
    content = json.loads(calibration.model_dump_json())
    assert content["format"] == "synfiqa-froq-1"
    assert (content["images"], content["data"], content["embedder"]["name"]) == (COUNT, "test faces", "mine")
    assert FroqFile.model_validate(content) == calibration
