"""What is declared of an architecture: role, code, input contracts of its published networks."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from synfiqa.schemas.model_card import Channels, Normalise, Role, StateRules

NO_RULES = StateRules()
"""Keys must match exactly."""

WRAPPED: dict[str, tuple[str, ...]] = {
    "unwrap": ("model_state_dict", "state_dict", "model"),
    "strip": ("module.", "model."),
}
"""Rules for checkpoints of training scripts: the state dict under a key, its own keys prefixed."""

ExpressionSpace = Literal["flame", "procedural"]
"""Parameters of an expression: coefficients of FLAME, or units of the procedural head."""


@dataclass(frozen=True)
class Contract:
    """An input that the published networks of an architecture were trained with; None leaves the field to the card."""

    channels: Channels | None = None
    normalise: Normalise | None = None
    value_range: tuple[float, float] | None = None
    input_size: int | None = None
    resize: Literal["bilinear", "bicubic"] | None = None


@dataclass(frozen=True)
class Architecture:
    """Where the code of an architecture is. `module:name` strings keep heavy imports out of the driver.

    `player(card, path, running)` makes the object of the role. `network(**arguments)` makes the torch module whose
    state dict the checkpoint fills; empty where a library loads whole folders itself. `rehearsal(card, folder, seed)`
    writes random weights for architectures without `network`. `player_arguments` are the arguments of a card that the
    player reads; the network receives all others. `gain` scales random weights against He initialisation: small where
    residual sums would leave half precision, near 1 where plain layers would forget their input. `contracts` are the
    inputs that are known to be right. `fits(card)` raises UserError for a card whose settings the player would refuse;
    it reads no weights. `edition` is raised instead of REHEARSAL_VERSION where cached random weights must be made again
    although fingerprints stay: it enters the name of the cache folder alone. `frozen()` returns the text, kept in a
    file, that random weights are made with. `run_settings` are keys of the config section `generate` that the player
    takes as arguments. `backend(run, players)` plans the samples of an identity, of an architecture that makes samples.
    `expressions` are the expression parameters of a 3-D face model; `measured_by` is the architecture of the encoder
    that measures its parameters. `reader(path)` returns the content of published files in a format of their own, and of
    all others what `read_state` returns. `extra` is the extra of synfiqa that installs the top-level `modules` which
    the player or the weights lie in; empty where the project's own dependencies do.
    """

    role: Role
    player: str
    network: str = ""
    rehearsal: str = ""
    player_arguments: tuple[str, ...] = ()
    gain: float = 0.5
    rules: StateRules = NO_RULES
    contracts: tuple[Contract, ...] = ()
    fits: str = ""
    run_settings: tuple[str, ...] = ()
    backend: str = ""
    expressions: ExpressionSpace | None = None
    measured_by: str = ""
    edition: int = 1
    frozen: str = ""
    reader: str = ""
    extra: str = ""
    modules: tuple[str, ...] = ()


def load(reference: str) -> Any:
    """Return the object that a `module:name` string names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)
