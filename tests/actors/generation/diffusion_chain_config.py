"""A config of the whole generative chain, tiny, on random weights in a folder of the test."""

from pathlib import Path

from synfiqa.schemas.config.run import RunConfig
from tests.actors.model_store.cards import SMALL, catalogue_file

DIFFUSION = {
    "role": "conditional_diffusion",
    "architecture": "controlled-diffusion",
    "arguments": {"size": "tiny", "steps": 2},
    "source": "random:1",
    "input_size": 64,
    "channels": "rgb",
    "value_range": None,
    "normalise": "clip",
    "resize": "bicubic",
    "output": "uint8 RGB (64, 64, 3)",
    "licence": "Apache-2.0",
    "commercial_use": True,
}
EMBEDDER = SMALL | {"arguments": SMALL["arguments"] | {"embedding_dim": 512}}


def config(
    folder: Path, *, profile="corrected", entries=None, diffusion=None, generate=None, filter=None, **models
) -> RunConfig:
    """Return the config; the keywords change its sections."""
    catalogue = catalogue_file(folder, sd=DIFFUSION, face512=EMBEDDER, small=SMALL, **(entries or {}))
    chain = {
        "conditional_generator": "diffusion",
        "conditional_diffusion": "sd",
        "control_embedder": "face512",
        "catalogue": str(catalogue),
        "cache": str(folder / "cache"),
        "micro_batch": 2,
    }
    sizes = {"references": 2, "degraded": 4, "micro_batch": 4, "portrait_size": 64, "profile": profile}
    return RunConfig.model_validate(
        {
            "models": chain | models,
            "generate": sizes | (generate or {}),
            "diffusion": diffusion or {},
            "filter": filter or {},
        }
    )
