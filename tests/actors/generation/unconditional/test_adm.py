import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from synfiqa.actors.generation.unconditional.adm import PLAYER_ARGUMENTS, AdmIdentityGenerator
from synfiqa.actors.generation.unconditional.candidates import to_pixels
from synfiqa.actors.generation.unconditional.diffusion_chain import Ancestral
from synfiqa.actors.generation.unconditional.seeded_noise import gaussian_noise
from synfiqa.actors.model_store.architectures.table import ARCHITECTURES
from synfiqa.actors.model_store.execution import Execution
from synfiqa.actors.model_store.loading import load_network, play
from synfiqa.actors.model_store.network import COMPILED
from synfiqa.actors.model_store.rehearsal import write_rehearsal
from synfiqa.cluster.pipeline.salvage import Salvage
from synfiqa.cluster.pipeline.stage import Stage
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

NETWORK = {"image_size": 16, "base": 32, "multipliers": [1, 2], "attention_at": [], "head_channels": 16}
CARD = ModelCard(
    name="tiny-adm",
    role="identity_generator",
    architecture="adm-unet",
    arguments=NETWORK | {"steps": 5},
    source="random:1",
    input_size=16,
    channels="rgb",
    value_range=(-1.0, 1.0),
    output="uint8 RGB (16, 16, 3)",
    licence="Apache-2.0",
    commercial_use=True,
)
SEEDS = [1, 22, 333, 4444, (1 << 63) - 1]


def with_arguments(**changes):
    return CARD.model_copy(update={"arguments": CARD.arguments | changes})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_rehearsal(CARD, tmp_path_factory.mktemp("weights"), seed=1)


@pytest.fixture(scope="module")
def generator(weights):
    return AdmIdentityGenerator(CARD, weights, Execution(micro_batch=2))


@pytest.fixture(scope="module")
def portraits(generator):
    return np.stack([candidate.image for candidate in generator.generate(SEEDS)])


def test_a_card_of_the_registry_makes_a_generator(weights, portraits):
    player = play(CARD, weights, Execution(micro_batch=2))
    assert isinstance(player, AdmIdentityGenerator)
    assert ARCHITECTURES["adm-unet"].player_arguments == PLAYER_ARGUMENTS
    assert np.array_equal(player.generate(SEEDS[:1])[0].image, portraits[0])


def test_portraits_are_the_chain_of_the_network_in_fixed_pixels(generator, weights, portraits):
    assert (portraits.dtype, portraits.shape) == (np.uint8, (5, 16, 16, 3))
    network = load_network(CARD, weights)
    images = Ancestral(5).sample(network, SEEDS[:2], 16)
    assert np.array_equal(to_pixels(images, "fixed"), portraits[:2])
    assert all(image.std() > 10 for image in portraits)


def test_nothing_is_commanded(generator):
    attributes = [candidate.attributes for candidate in generator.generate(SEEDS[:2])]
    assert json.dumps(attributes) == "[{}, {}]"


def test_portrait_depends_on_its_seed_alone(generator, portraits):
    for row, seed in enumerate(SEEDS):
        assert np.array_equal(generator.generate([seed])[0].image, portraits[row])
    assert np.array_equal(generator.generate([SEEDS[3], SEEDS[1]])[1].image, portraits[1])
    assert len(np.unique(portraits.reshape(len(SEEDS), -1), axis=0)) == len(SEEDS)
    assert generator.generate([]) == []


def test_size_of_micro_batches_changes_portraits_by_rounding_at_most(weights, portraits):
    larger = AdmIdentityGenerator(CARD, weights, Execution(micro_batch=5)).generate(SEEDS)
    difference = np.abs(np.stack([candidate.image for candidate in larger]).astype(int) - portraits)
    assert difference.max() <= 1


def test_the_card_can_choose_stretched_pixels(weights):
    found = {}
    for pixels in ("fixed", "stretched"):
        generator = AdmIdentityGenerator(with_arguments(pixels=pixels), weights, Execution(micro_batch=2))
        # Random weights leave images black and white; where more than all is called noise, they are grey.
        generator.network = lambda x, steps: torch.cat([1.2 * x, torch.full_like(x, -1)], dim=1)
        found[pixels] = generator.generate(SEEDS[:1])[0].image
    assert (found["stretched"].min(), found["stretched"].max()) == (0, 255)
    assert 5 < found["fixed"].min() < found["fixed"].max() < 250


def test_the_card_can_choose_the_number_of_steps(weights, portraits):
    longer = AdmIdentityGenerator(with_arguments(steps=8), weights, Execution(micro_batch=2))
    assert not np.array_equal(longer.generate(SEEDS[:1])[0].image, portraits[0])


def test_half_precision_changes_portraits_little(weights, portraits):
    half = AdmIdentityGenerator(CARD, weights, Execution(micro_batch=2, precision="bfloat16"))
    assert {module.weight.dtype for module in half.network.modules() if hasattr(module, "weight")} == {
        torch.bfloat16,
        torch.float32,
    }
    found = np.stack([candidate.image for candidate in half.generate(SEEDS[:2])]).astype(int)
    assert 0 < np.abs(found - portraits[:2]).mean() < 3


class OneStage(Stage):
    name = "identity_generator"

    def process(self, work):
        return work


def test_a_portrait_that_is_not_finite_rejects_its_own_row(weights, portraits):
    generator = AdmIdentityGenerator(CARD, weights, Execution(micro_batch=4))
    network, poisoned = generator.network, SEEDS[2]
    start = gaussian_noise(torch.tensor([poisoned]), 0, (3, 16, 16))[0]

    def network_with_a_bad_day(x, steps):
        output = network(x, steps).clone()
        output[[torch.equal(image, start) for image in x]] = float("nan")
        return output

    generator.network = network_with_a_bad_day
    with pytest.raises(ValueError, match=f"not finite numbers: {poisoned}"):
        generator.generate(SEEDS)
    salvage = Salvage(OneStage())
    made = salvage.map(SEEDS, generator.generate, 5, name=str)
    assert [row is None for row in made] == [seed == poisoned for seed in SEEDS]
    assert [row.item for row in salvage.dead] == [str(poisoned)]
    for row, candidate in enumerate(made):
        assert candidate is None or np.abs(candidate.image.astype(int) - portraits[row]).max() <= 1


def test_network_and_steps_are_compiled_with_deterministic_kernels(weights, portraits, monkeypatch):
    asked, compiler = [], torch.compile

    def eager(function, **options):
        asked.append(options)
        return compiler(function, backend="eager", **{key: options[key] for key in ("dynamic", "fullgraph")})

    monkeypatch.setattr(torch, "compile", eager)
    compiled = AdmIdentityGenerator(with_arguments(compile=True), weights, Execution(micro_batch=2))
    assert np.array_equal(compiled.generate(SEEDS[:2])[1].image, portraits[1])
    assert asked == [{**COMPILED, "fullgraph": True}] * 2
    known = torch._inductor.list_options()
    assert set(COMPILED["options"]) <= set(known)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 1}, "steps"),
        ({"steps": 1001}, "steps"),
        ({"pixels": "bright"}, "pixels"),
        ({"stepz": 5}, "stepz"),
        ({"base": 33}, "base must be a multiple of 32"),
    ],
)
def test_arguments_that_do_not_fit_are_named(weights, change, message):
    with pytest.raises(UserError, match=message):
        AdmIdentityGenerator(with_arguments(**change), weights, Execution())


def test_size_of_card_and_network_must_agree(weights):
    card = CARD.model_copy(update={"input_size": 32})
    with pytest.raises(UserError, match="input_size is 32 but its network makes images of 16 pixels"):
        AdmIdentityGenerator(card, weights, Execution())


def test_wrong_and_truncated_weights_are_named(weights, tmp_path):
    truncated = tmp_path / "short.safetensors"
    truncated.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(UserError, match="no whole safetensors file"):
        AdmIdentityGenerator(CARD, truncated, Execution())
    save_file({"conv_in.weight": torch.zeros(1)}, wrong := tmp_path / "wrong.safetensors")
    with pytest.raises(
        UserError, match=r"keys are missing \(time_embed.0.weight.* 1 are unexpected \(conv_in.weight\)"
    ):
        AdmIdentityGenerator(CARD, wrong, Execution())
