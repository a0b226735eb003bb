"""Every config in the repository is valid, and the quickstart is as large as the README says."""

from pathlib import Path

import pytest

from jobs.config import load_config

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_config_is_valid(path):
    load_config(str(path))


def test_the_quickstart_makes_what_the_readme_says():
    generate = load_config(str(CONFIGS[0].parent / "quickstart.yaml")).generate
    assert generate.identities * (generate.references + generate.degraded) >= 1440
    assert generate.identities / generate.identities_per_shard >= 5
