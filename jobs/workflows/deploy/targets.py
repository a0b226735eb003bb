"""Cluster managers, and providers of spot nodes; imports nothing, because the command line lists both."""

from dataclasses import dataclass

TARGETS = ("kuberay", "slurm", "skypilot", "ray-up")
"""Cluster managers."""


@dataclass(frozen=True)
class Cloud:
    """Spot nodes of a provider: the label that selects and taints them, its value, and the seconds of drain."""

    selector: str
    value: str
    drain_s: int


CLOUDS = {
    "gke": Cloud("cloud.google.com/gke-spot", "true", 10),
    "eks": Cloud("eks.amazonaws.com/capacityType", "SPOT", 90),
    "karpenter": Cloud("karpenter.sh/capacity-type", "spot", 90),
    "aks": Cloud("kubernetes.azure.com/scalesetpriority", "spot", 15),
}
"""Notice by provider: 30 s on GKE of which 15 are the pod's, 120 s on EKS, 30 s on AKS."""
