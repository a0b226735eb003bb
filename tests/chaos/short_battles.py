"""Plays two short scenarios: a store that takes seconds for each request, and a cluster with no node that may work."""

import json
import socket
import time
from importlib.metadata import version
from pathlib import Path

from synfiqa.schemas.errors import UserError
from tests.chaos.battle import SAMPLES_EACH, Battle
from tests.chaos.driver import Order
from tests.chaos.oracle import expected
from tests.chaos.raylets import OTHER_LIBRARY, OTHER_VERSION
from tests.chaos.scenarios import PINNED

REQUEST_S = 5.0
FEW, FEW_PER_UNIT = 2, 8
"""Identities of a run on a slow store, and candidates of its unit: each commit takes a dozen requests."""
REFUSAL_S = 120.0


class SlowStore(Battle):
    """A run of one shard on a store that takes REQUEST_S for each request."""

    def play(self, url: str, seen: Path) -> None:
        settings = {
            "generate": {"identities": FEW, "candidates_per_unit": FEW_PER_UNIT},
            "placement": {"mode": "fused", "workers": 1},
            "storage": {"format": self.scenario.file_format},
            "resilience": {"lease_s": 60},
        }
        self.order, self.seen = Order(url, settings, {"log": str(self.folder / "work.log")}), seen
        proxy = self.field.proxy
        proxy.delay_s = REQUEST_S
        self.outcome.struck.append(self.scenario.disasters[0])
        driver = self.start()
        code = self.end_of(driver, limit=600.0)
        assert code == 0, f"a slow store ended the driver with {code}: {driver.words()}"
        proxy.delay_s = 0.0
        wanted = expected(0.0, str(self.field.folder), FEW, FEW_PER_UNIT)
        summary = json.loads((seen / "dataset.json").read_text())
        assert summary == {**wanted.model_dump(), "rejected": summary["rejected"]}, (summary, wanted)
        assert summary["samples"] == FEW * SAMPLES_EACH


class OnlyOtherLibraries(Battle):
    """A run whose stages may only use nodes with other libraries."""

    def play(self, url: str, seen: Path) -> None:
        self.field.raylets.join_with_other_libraries()
        pinned = {stage: {"pool": "c"} for stage in PINNED}
        settings = {"placement": {**self.scenario.placement, "labels": pinned}}
        self.order, self.seen = Order(url, settings, {"log": str(self.folder / "work.log")}), seen
        self.outcome.struck.append(self.scenario.disasters[0])
        began = time.monotonic()
        driver = self.start()
        code = self.end_of(driver, limit=REFUSAL_S)
        assert code == UserError.exit_code, f"the driver ended with {code}: {driver.words()}"
        said = driver.said().strip().splitlines()[-1]
        for text in (socket.gethostname(), f"{OTHER_LIBRARY} {OTHER_VERSION}, not {version(OTHER_LIBRARY)}"):
            assert text in said, f"{text} is not in the refusal after {time.monotonic() - began:.0f} s: {said}"
        assert not self.work(), self.work()
