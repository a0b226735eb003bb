"""Roles of the files of a run folder by name; a file without a role is foreign."""

import re
from typing import Literal

from synfiqa.cluster.commits.commit_index import INDEX
from synfiqa.cluster.commits.shard_store import parse_commit_path

Role = Literal[
    "manifest",
    "commit",
    "commit index",
    "data",
    "dead rows",
    "calibration",
    "label part",
    "model",
    "report",
    "vectors",
    "attempt mark",
    "lease",
    "unfinished write",
    "event",
]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_ATTEMPT = r"-[0-9a-f]{12}"

DATA = re.compile(rf"(?:identities/unit-\d{{6,}}{_ATTEMPT}\.parquet|samples/shard-\d{{6,}}{_ATTEMPT}\.(?:parquet|tar))")
DEAD = re.compile(rf"dead/(?:unit|shard)-\d{{6,}}{_ATTEMPT}\.parquet")
EPOCH = re.compile(r"lease/(\d{6,})\.json")
CALIBRATION = re.compile(rf"labels/({_NAME})/calibration(?:\.r(\d{{3,}}))?\.json")
LABEL_PART = re.compile(rf"labels/({_NAME})/shard-\d{{6,}}{_ATTEMPT}\.parquet")
MODEL_FILE = re.compile(
    rf"models/({_NAME})/(?:train\.json|history\.json|model\.safetensors|model\.yaml|metrics\.json"
    rf"|audit\.json|evaluation(?:-{_NAME})?\.json|scores(?:-{_NAME})?\.parquet|checkpoints/.+)"
)
REPORT = re.compile(rf"report/(?:index|label-{_NAME})\.html")
"""Reports, one a label pass: `index` is that of the labels `default`."""
GENERATION = re.compile(r"generation-\d{6,}/.*")
"""Files of a later generation, which is a run folder of its own."""

_ROLES: tuple[tuple[re.Pattern[str], Role], ...] = (
    (re.compile(r"(?:[^/]+/)*\.tmp-[^/]+"), "unfinished write"),
    (re.compile(r"run\.json|dataset\.json|growth/\d{6}\.json"), "manifest"),
    (DATA, "data"),
    (DEAD, "dead rows"),
    (LABEL_PART, "label part"),
    (CALIBRATION, "calibration"),
    (MODEL_FILE, "model"),
    (REPORT, "report"),
    (re.compile(rf"vectors/{_NAME}-[0-9a-f]{{24}}\.safetensors"), "vectors"),
    (re.compile(r"attempts/[^/]+/.+"), "attempt mark"),
    (EPOCH, "lease"),
    (INDEX, "commit index"),
    (re.compile(r"events/[a-z][a-z-]{0,15}-[0-9a-f]{12}\.json"), "event"),
)


def role_of(path: str) -> Role | None:
    """Return the role of a file of a run folder; None for a foreign file."""
    if parse_commit_path(path):
        return "commit"
    return next((role for pattern, role in _ROLES if pattern.fullmatch(path)), None)
