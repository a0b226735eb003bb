"""`synfiqa generate CONFIG --check`: a sentence for what is wrong, a line a model where all is right, nothing made."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from PIL import features

from synfiqa.actors.generation.controlled_diffusion.rehearsal import write_random
from synfiqa.actors.model_store import loading
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.resolved_run import resolve
from synfiqa.jobs.cli import main
from synfiqa.jobs.config import load_config
from synfiqa.jobs.generation.readiness import run_check
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard
from tests.actors.generation.conditional.test_diffusion_backend import written
from tests.actors.generation.diffusion_chain_config import DIFFUSION, config
from tests.actors.stages.test_identity_generator import ADM


@pytest.fixture(autouse=True)
def _no_network_loads(monkeypatch):
    # Not `load_network` itself: modules that are imported first under this patch would keep what it puts there.
    monkeypatch.setattr(loading, "fit_state", lambda *_: pytest.fail("a network was loaded"))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("weights were read"))


def stored(folder: Path, **changes) -> dict:
    """Write the archive of a tiny diffusion model and return the card that names it."""
    fields = DIFFUSION | changes
    write_random(ModelCard(name="sd", **fields), folder / "sd", seed=1)
    return fields | {"source": str(folder / "sd"), "sha256": weights_digest(folder / "sd")}


@pytest.mark.parametrize("name", ["paper", "paper-tiny"])
def test_the_configs_of_the_paper_can_be_run(name, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SYNFIQA_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit) as ended:
        main(["generate", f"configs/{name}.yaml", "--check", "--run", str(tmp_path / "run")])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    generate = load_config(f"configs/{name}.yaml").generate
    samples = generate.references + generate.degraded
    assert f"{samples} templates an identity" in printed
    assert f"{generate.identities} identities of {samples} samples each can be made" in printed
    assert "71 prompts fit" in printed
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "cache" / "random").exists(), "not even random weights are made"


def test_avif_is_checked_before_a_run_that_draws_it(monkeypatch):
    def asked(weights):
        camera = {"portrait_size": 128, "profile": "camera", "camera": {"codec_weights": weights}}
        return RunConfig.model_validate({"generate": {"identities": 4} | camera})

    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(UserError, match="draws AVIF, and this Pillow writes none"):
        run_check(asked([1, 0, 0, 1]))
    run_check(asked([1, 0, 1, 0]))


def test_the_paper_is_faithful():
    paper = load_config("configs/paper.yaml")
    assert (paper.generate.references, paper.generate.degraded) == (10, 100)
    assert (paper.generate.profile, paper.filter.profile) == ("faithful", "faithful")
    assert paper.generate.degraded_distribution.scale_weights == (0.80, 0.10, 0.08, 0.02)
    cards = {card.role: card for card in resolve(paper).cards}
    assert cards["pose"].arguments == {"angles": "published"}, "another order flips one decision in thirteen"
    assert cards["detector"].arguments == {"decimals": 2, "coordinates": "pixel-edges", "sides": "truncated"}
    assert cards["identity_generator"].arguments["pixels"] == "stretched"


def test_weights_that_are_here_are_verified_and_told(tmp_path, capsys):
    run = config(tmp_path, entries={"own": stored(tmp_path)}, conditional_diffusion="own")
    run_check(run)
    assert (
        "own: conditional_diffusion, here, its digest is that of its card, Apache-2.0, commercial use"
        in capsys.readouterr().out
    )


def test_damaged_missing_and_misnamed_weights_are_refused(tmp_path):
    card = stored(tmp_path)
    run = config(tmp_path, entries={"own": card}, conditional_diffusion="own")
    (tmp_path / "sd" / "clip-vit-large-patch14" / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(UserError, match="have digest"):
        run_check(run)
    shutil.rmtree(tmp_path / "sd")
    with pytest.raises(UserError, match="are missing on"):
        run_check(run)
    card = stored(tmp_path) | {"arguments": DIFFUSION["arguments"] | {"control": "nowhere.pth"}}
    with pytest.raises(UserError, match=r"nowhere\.pth is missing"):
        run_check(config(tmp_path, entries={"own": card}, conditional_diffusion="own"))


@pytest.mark.parametrize("real", [True, False])
def test_a_prompt_that_is_too_long_is_refused(tmp_path, real):
    prompts = {"suffixes": ["in the rain " * 30]}
    arguments = {"arguments": DIFFUSION["arguments"] | {"prompts": prompts}}
    card = stored(tmp_path, **arguments) if real else DIFFUSION | arguments
    with pytest.raises(UserError, match="a prompt may have 77 tokens but"):
        run_check(config(tmp_path, entries={"own": card}, conditional_diffusion="own"))


def test_an_empty_bank_and_a_forbidden_licence_are_refused(tmp_path):
    path = Path(written(tmp_path))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"REF": []}))
    with pytest.raises(UserError, match="REF is empty"):
        run_check(config(tmp_path, diffusion={"templates": str(path)}))
    barred = DIFFUSION | {"licence": "CC BY-NC 4.0", "commercial_use": False}
    with pytest.raises(UserError, match=r"do not allow commercial use: own \(CC BY-NC 4.0\)"):
        run_check(config(tmp_path, entries={"own": barred}, conditional_diffusion="own", require_commercial=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"entries": {"own": DIFFUSION | {"input_size": 100}}, "conditional_diffusion": "own"}, "multiple of 64"),
        ({"diffusion": {"renderer": "pytorch3d"}}, "renderer pytorch3d cannot be imported"),
        ({"entries": {"adm": ADM | {"input_size": 32}}, "identity_generator": "adm"}, "makes images of 16 pixels"),
        ({"entries": {"adm": ADM | {"arguments": {"steps": 1}}}, "identity_generator": "adm"}, "steps"),
        ({"entries": {"adm": ADM | {"arguments": {"depth": 1}}}, "identity_generator": "adm"}, "depth"),
    ],
    ids=["side", "renderer", "size", "steps", "unknown"],
)
def test_what_only_a_worker_used_to_find_is_refused(tmp_path, change, said, monkeypatch):
    # Submodules of an installed PyTorch3D may be loaded already: each of its names is hidden.
    for name in ("pytorch3d", *(name for name in sys.modules if name.startswith("pytorch3d."))):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=said):
        run_check(config(tmp_path, **change))


def test_a_run_of_rendered_heads_can_be_checked_too(capsys):
    run_check(load_config("configs/quickstart.yaml"))
    assert "no prompts: samples are rendered" in capsys.readouterr().out
