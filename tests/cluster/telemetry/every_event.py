"""Every event that metrics are recorded of, once."""

from synfiqa.cluster.ray_cluster.worker_states import WorkerStates
from synfiqa.cluster.telemetry import run_metrics


def record_every_event(run: str) -> None:
    counts = {"planned": 9, "accepted": 5, "rejected": 3, "dead": 1, "rejected:yaw": 2, "rejected:mine": 1}
    run_metrics.unit_committed(run, "identities", counts)
    run_metrics.unit_committed(run, "samples", {"planned": 4, "accepted": 4, "rejected": 0, "dead": 0})
    run_metrics.repeated("call")
    run_metrics.worker_failed(run, "unit")
    run_metrics.phase_progress(run, {"phase": "samples", "done": 3, "planned": 7, "eta_s": None})
    run_metrics.pool_workers(run, {"annotator+mine": WorkerStates(2, 1, 3)})
    run_metrics.lease_renewed(run, 60.0)
    run_metrics.stage_worked(run, "annotator", 2.0, 0.75)
    run_metrics.stage_worked(run, "shard_writer", 1.0, None)
    run_metrics.timed_request("read", lambda: b"")
    run_metrics.training_went_on(run, "default", steps=10, images=640, seconds=4.0, waited_s=1.0, loss=0.5)
