"""Keys of the config that name stages."""

import importlib
import pkgutil

import pytest

from synfiqa.actors import stages
from synfiqa.actors.stages.stage_names import STAGES
from synfiqa.cluster.pipeline.stage import Stage
from synfiqa.jobs.config import load_config
from synfiqa.schemas.errors import UserError


def test_every_stage_is_listed_and_no_other():
    found = set()
    for module in pkgutil.iter_modules(stages.__path__):
        for item in vars(importlib.import_module(f"{stages.__name__}.{module.name}")).values():
            if isinstance(item, type) and issubclass(item, Stage) and "name" in vars(item):
                found.add(item.name)
    assert found == set(STAGES)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "placement.labels={annotater: {pool: small}}",
            r"placement\.labels: there is no stage 'annotater': did you mean annotator\?",
        ),
        ("placement.labels={gpu: {pool: small}}", r"no stage 'gpu': stages: identity_generator, .*shard_writer"),
        (
            "placement.memory_mb={identity_filters: 100}",
            r"placement\.memory_mb: there is no stage 'identity_filters': did you mean identity_filter\?",
        ),
    ],
)
def test_a_stage_that_does_not_exist_is_refused_with_the_one_that_was_meant(override, message):
    """Such labels and sizes were ignored: the stage ran anywhere, and the user did not learn of it."""
    with pytest.raises(UserError, match=message):
        load_config(None, [override, *(["placement.gpu_memory_mb=1000"] if "memory" in override else [])])


def test_all_stages_may_be_named():
    labels = "{" + ", ".join(f"{stage}: {{pool: a}}" for stage in STAGES) + "}"
    assert load_config(None, [f"placement.labels={labels}"]).placement.labels.keys() == set(STAGES)
