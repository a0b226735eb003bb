"""From a name in the config to the model that plays the role. Heavy imports stay inside the functions."""

from functools import cache

from actors.roles import ConditionalGenerator, Detector, Embedder, IdentityGenerator, ImageText


@cache
def worker_device() -> str:
    """Return the device of this process: the GPU that Ray pinned it to, else the CPU (Ray hides all other GPUs)."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def identity_generator(name: str, portrait_size: int) -> IdentityGenerator:
    """Return the backend that makes pseudo-identities (one instance per process and setting)."""
    from actors.procedural import ProceduralIdentityGenerator

    return {"procedural": ProceduralIdentityGenerator}[name](portrait_size, worker_device())


@cache
def conditional_generator(name: str, portrait_size: int) -> ConditionalGenerator:
    """Return the backend that shows an identity under a recipe."""
    from actors.procedural import ProceduralConditionalGenerator

    return {"procedural": ProceduralConditionalGenerator}[name](portrait_size, worker_device())


@cache
def detector(name: str) -> Detector:
    """Return the face detector."""
    from actors.detection import MtcnnDetector

    return {"mtcnn": MtcnnDetector}[name](worker_device())


@cache
def embedder(name: str) -> Embedder:
    """Return the recognition network, shared by all stages of a process."""
    from actors.model_zoo import load_embedder

    return load_embedder(name, worker_device())


@cache
def image_text(name: str) -> ImageText:
    """Return the image-text network, shared by all stages of a process."""
    from actors.model_zoo import load_image_text

    return load_image_text(name, worker_device())
