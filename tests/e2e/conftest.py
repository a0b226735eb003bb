"""The run that several tests compare theirs with."""

import pytest

from tests.e2e.command import synfiqa


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """An uninterrupted run of the tiny config on a disk, with one worker."""
    run = tmp_path_factory.mktemp("finished") / "run"
    result = synfiqa("generate", run, placement__workers=1)
    assert result.returncode == 0, result.stderr
    return run
