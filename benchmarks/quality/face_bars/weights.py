"""Bar of the size of the bundled networks."""

from benchmarks.quality.face_bars.bar import Bar
from benchmarks.quality.face_bars.settings import Settings
from synfiqa.actors.model_store.catalogue import BUNDLED
from synfiqa.fiqa_train.training.checkpoints import BUNDLED_FILE

SUBJECT = "weights"


def measure(settings: Settings) -> list[Bar]:
    """Measure the megabytes (10^6 bytes) of all bundled weights, including the quality model."""
    files = sorted({*BUNDLED.glob("*.safetensors"), *BUNDLED_FILE.parent.glob("*.safetensors")})
    sizes = {path.stem: path.stat().st_size / 1e6 for path in files}
    note = ", ".join(f"{name} {size:.2f}" for name, size in sizes.items())
    return [Bar(SUBJECT, "all bundled weights", sum(sizes.values()), 11.0, unit="MB", note=note)]
