"""Plays a run of which no node may work: it must be refused."""

import socket
import time
from importlib.metadata import version
from pathlib import Path

from synfiqa.schemas.errors import UserError
from tests.chaos.battle import Battle
from tests.chaos.driver import Order
from tests.chaos.raylets import OTHER_LIBRARY, OTHER_VERSION
from tests.chaos.scenarios import PINNED

REFUSAL_S = 120.0


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
        assert "please open an issue on the Ray project" not in driver.said(), "a refusal is no bug of Ray"
        assert not self.work(), self.work()
