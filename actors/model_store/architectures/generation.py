"""Architectures that make faces: identity generators, 3-D face models with their encoders, diffusion."""

from synfiqa.actors.model_store.architectures.architecture import Architecture, Contract
from synfiqa.schemas.model_card import StateRules

GENERATION = {
    "procedural-identities": Architecture(
        "identity_generator",
        "synfiqa.actors.generation.conditional.procedural:procedural_identities",
        fits="synfiqa.actors.generation.conditional.procedural:settings_of",
        run_settings=("portrait_size", "skin_tones", "people"),
    ),
    "procedural-samples": Architecture(
        "conditional_generator",
        "synfiqa.actors.generation.conditional.procedural:procedural_samples",
        fits="synfiqa.actors.generation.conditional.procedural:settings_of",
        run_settings=("portrait_size", "people"),
        backend="synfiqa.actors.generation.conditional.backends:RenderedBackend",
    ),
    "adm-unet": Architecture(
        "identity_generator",
        "synfiqa.actors.generation.unconditional.adm:AdmIdentityGenerator",
        network="synfiqa.actors.nets.adm_unet:AdmUNet",
        player_arguments=("steps", "pixels", "compile"),
        fits="synfiqa.actors.generation.unconditional.adm:settings_of",
        contracts=(Contract("rgb", "range", (-1.0, 1.0)),),
    ),
    "diffusers-unconditional": Architecture(
        "identity_generator",
        "synfiqa.actors.generation.unconditional.diffusers_pipeline:DiffusersIdentityGenerator",
        rehearsal="synfiqa.actors.generation.unconditional.diffusers_pipeline:write_random",
        fits="synfiqa.actors.generation.unconditional.diffusers_pipeline:settings_of",
        contracts=(Contract("rgb", "range", (-1.0, 1.0)),),
    ),
    "flame": Architecture(
        "face_model",
        "synfiqa.actors.generation.face_model.flame:flame",
        rehearsal="synfiqa.actors.generation.face_model.flame_random:write_random",
        expressions="flame",
        measured_by="deca-coarse",
    ),
    "procedural-face": Architecture(
        "face_model",
        "synfiqa.actors.generation.face_model.procedural:procedural",
        expressions="procedural",
        measured_by="procedural-encoder",
    ),
    "deca-coarse": Architecture(
        "face_encoder",
        "synfiqa.actors.generation.face_model.deca:DecaEncoder",
        network="synfiqa.actors.generation.face_model.deca:DecaCoarse",
        rules=StateRules(unwrap=("E_flame",), strip=("E_flame.",), allow_unexpected=("E_detail.*", "D_detail.*")),
        contracts=(Contract("rgb", "range", (0.0, 1.0), 224),),
    ),
    "procedural-encoder": Architecture(
        "face_encoder", "synfiqa.actors.generation.face_model.procedural_encoder:ProceduralEncoder"
    ),
    "controlled-diffusion": Architecture(
        "conditional_diffusion",
        "synfiqa.actors.generation.controlled_diffusion.sampler:ControlledDiffusion",
        rehearsal="synfiqa.actors.generation.controlled_diffusion.rehearsal:write_random",
        fits="synfiqa.actors.generation.controlled_diffusion.sampler:settings_of",
        backend="synfiqa.actors.generation.conditional.diffusion_backend:DiffusionBackend",
        contracts=(Contract("rgb", "clip", resize="bicubic"),),
    ),
}
