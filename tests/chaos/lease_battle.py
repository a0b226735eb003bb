"""Plays a label or train job that loses its lease: frozen, overtaken by another driver, and awake again."""

import io
import json
import signal
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.labels.label_pass import run_label
from synfiqa.fiqa_train.training import train_run
from synfiqa.fiqa_train.training.checkpoints import model_folder, parse_state
from synfiqa.fiqa_train.training.engine.fit import fit
from synfiqa.fiqa_train.training.on_ray import LOG, log_lines
from synfiqa.fiqa_train.training.task import BASIS
from synfiqa.schemas.errors import RunHeld
from tests.chaos.battle import Battle
from tests.chaos.driver import Order
from tests.fiqa_train.labelled_run import make_run
from tests.fiqa_train.training.whole_trainings.alone import Alone

LABEL_STEPS = 8
TRAIN_S = 3.0
"""Seconds within which a training is frozen; Ray Train needs more to start its workers."""
TRAIN = {"epochs": 3, "threads": 1}
"""With the number of threads, which is that of the CPUs at hand unless named, a model may change."""
SECONDS = {"label": 0.4, "train": 0.0}
RESULTS = {"label": "labels/", "train": "models/"}


class LeaseBattle(Battle):
    """A scenario of which the job is label or train."""

    def play(self, url: str, seen: Path) -> None:
        """Freeze the job at a step, let another driver take over and finish, wake the first one up."""
        job = self.scenario.disasters[0].rpartition(" ")[2]
        with redirect_stderr(io.StringIO()):
            _, storage = make_run(url, labels=job == "train", train=TRAIN)
        trouble = {"log": str(self.folder / "work.log"), "seconds": SECONDS[job]}
        self.order, self.seen = Order(url, trouble=trouble, job=job), seen
        first = self.start()
        if job == "label":
            step = f"label step {self.dice.randint(1, LABEL_STEPS - 1)}"
            self.until(first, f"{step} is done", lambda: step in self.work())
        else:
            # From here on it trains; before, it might find the finished training of the other driver, and be content.
            begun = seen / model_folder("default") / BASIS
            self.until(first, f"{begun} is there", begun.exists)
            time.sleep(self.dice.uniform(0, TRAIN_S))
        assert not first.ended(), f"the job ended before its lease could be lost: {first.words()}"
        first.send(signal.SIGSTOP)
        self.outcome.struck.append(self.scenario.disasters[0])
        heir = self.start()
        code = self.end_of(heir)
        assert code == 0, f"the heir ended with {code}: {heir.words()}"
        before = results(storage, job)
        first.send(signal.SIGCONT)
        code = self.end_of(first)
        assert code == RunHeld.exit_code, f"a {job} job that lost its lease ended with {code}: {first.words()}"
        assert "was taken over by" in first.words()
        assert "this driver stops, nothing is lost" in first.words(), first.words()
        again = self.start()
        code = self.end_of(again)
        assert code == 0, f"the same command ended with {code}: {again.words()}"
        assert results(storage, job) == before, "the driver without a lease changed results"
        with redirect_stderr(io.StringIO()):
            quiet = self._quiet(job)
        assert before == quiet, "the results are not those of a quiet run"

    def _quiet(self, job: str) -> dict[str, Any]:
        """Return the results of a run in this process that nothing disturbs."""
        config, storage = make_run(self.folder / "quiet", labels=job == "train", train=TRAIN)
        if job == "label":
            run_label(config, storage)
        else:
            on_ray, train_run.train_on_ray = train_run.train_on_ray, _here
            workers, train_run.require_workers = train_run.require_workers, lambda section: 1
            try:
                train_run.run_train(config, storage)
            finally:
                train_run.train_on_ray, train_run.require_workers = on_ray, workers
        return results(storage, job)


def results(storage: Storage, job: str) -> dict[str, Any]:
    """Return what a job has made, by path; of a training what its checkpoints are for, not these themselves."""
    found = {path: storage.read(path) for path in storage.list() if path.startswith(RESULTS[job])}
    if job == "label":
        return found
    return {
        path: json.loads(data) if path.endswith(".json") else data
        for path, data in found.items()
        if "/checkpoints/" not in path
    }


def _here(task: Any, _: Any) -> dict[str, Any]:
    session = Alone()
    fit(task, session)
    state = parse_state(session.stored)
    # As a worker on Ray writes it: it must be that of the disturbed run too.
    Storage(task.url).write(f"{model_folder(task.section.name)}/{LOG}", log_lines(state))
    return state
