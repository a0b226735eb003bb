"""Manifests of KubeRay: a RayJob or a RayCluster, and what stands beside it."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from synfiqa.jobs.workflows.deploy.fill import config_text, fill, indent, name_of, versions
from synfiqa.jobs.workflows.deploy.needs import NodeKind, most_nodes_text
from synfiqa.jobs.workflows.deploy.targets import CLOUDS
from synfiqa.schemas.config.run import RunConfig

GRACE_BEYOND_DRAIN_S = 15


ENDPOINT = "AWS_ENDPOINT_URL"
"""Variable with the endpoint of a store that speaks the protocol of S3."""
DRAIN_S = 20
"""Seconds of drain on nodes that are not reclaimed by a provider."""


@dataclass(frozen=True)
class Around:
    """What a manifest refers to: the provider whose spot nodes it takes, secret, service account, queue of Kueue."""

    cloud: str = ""
    secret: str = ""
    account: str = ""
    queue: str = ""
    kind: str = "job"


def render_kuberay(config: RunConfig, kinds: list[NodeKind], image: str, around: Around) -> str:
    """Return the YAML documents: ConfigMap, disruption budget, network policy, monitor, and RayJob or RayCluster."""
    name, drain = name_of(config.run.url), CLOUDS[around.cloud].drain_s if around.cloud else DRAIN_S
    env_from = f"\nenvFrom: [{{secretRef: {{name: {around.secret}}}}}]" if around.secret else ""
    values = {
        **versions(),
        "name": name,
        "image": image,
        "command": json.dumps(f"synfiqa run /etc/synfiqa/config.yaml --run {shlex.quote(config.run.url)}"),
        "drain": drain,
        "grace": drain + GRACE_BEYOND_DRAIN_S,
        "account": f"\nserviceAccountName: {around.account}" if around.account else "",
        "env_from": env_from,
        "head_memory": f"{_head_gib(config)}Gi",
        "queue": f"\n    kueue.x-k8s.io/queue-name: {around.queue}" if around.queue else "",
        "elastic": '\n  annotations: {kueue.x-k8s.io/elastic-job: "true"}' if around.queue else "",
        "config": indent(config_text(config), 4),
        "most_nodes": most_nodes_text(kinds),
        "store_port": _store_port(),
    }
    head = values | {"account": _deeper(values["account"], 6), "env_from": _deeper(env_from, 10)}
    groups = "\n".join(_group(kind, values, around) for kind in kinds)
    cluster = fill("kuberay/ray-cluster-spec.yaml", head | {"groups": indent(groups, 2)})
    wrapper, columns = ("rayjob.yaml", 4) if around.kind == "job" else ("raycluster.yaml", 2)
    own = fill(f"kuberay/{wrapper}", values | {"cluster": indent(cluster, columns)})
    return fill("kuberay/around.yaml", values) + own


def _group(kind: NodeKind, values: Mapping[str, object], around: Around) -> str:
    placement = ""
    if around.cloud:
        cloud = CLOUDS[around.cloud]
        placement = (
            f'\nnodeSelector: {{{cloud.selector}: "{cloud.value}"}}\ntolerations:\n'
            f'  - {{key: {cloud.selector}, operator: Equal, value: "{cloud.value}", effect: NoSchedule}}'
        )
        if kind.gpus:
            placement += "\n  - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}"
    labels = json.dumps(dict(kind.labels)) if kind.labels else ""
    return fill(
        "kuberay/worker-group.yaml",
        {
            **values,
            "group": kind.name.lower().replace("_", "-"),
            "why": "\n# ".join(kind.why),
            "nodes": kind.nodes,
            "cpus": kind.cpus,
            "memory": f"{kind.memory_gib}Gi",
            "object_store": kind.object_store_mb * 1024 * 1024,
            "gpu": f', nvidia.com/gpu: "{kind.gpus}"' if kind.gpus else "",
            "labels": f"\n  labels: {labels}" if labels else "",
            "account": _deeper(values["account"], 6),
            "placement": _deeper(placement, 6),
            "env_from": _deeper(values["env_from"], 10),
        },
    ).rstrip("\n")


def _store_port() -> str:
    """Return a rule for the port of the store's endpoint in the environment, where it is not that of HTTPS."""
    endpoint = urlsplit(os.environ.get(ENDPOINT, ""))
    port = endpoint.port or (80 if endpoint.scheme == "http" else 443)
    return "" if port == 443 else f"\n        - {{port: {port}, protocol: TCP}}"


def _head_gib(config: RunConfig) -> int:
    # The driver evaluates, and holds the vectors of all accepted identities: 2 KiB each.
    return 16 + config.generate.identities * 2 // 1024**2


def _deeper(text: object, columns: int) -> str:
    return str(text).replace("\n", "\n" + " " * columns)
