"""A node whose libraries differ from the driver's is named, instead of making other pixels without a word."""

import socket

import pytest

from synfiqa.cluster.pipeline.node_libraries import require_libraries
from synfiqa.cluster.run.fingerprint import library_versions
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.errors import UserError


def test_equal_libraries_pass():
    require_libraries(library_versions(RunConfig()))


def test_another_version_is_named_with_host_library_and_both_versions():
    """Two nodes with different Pillow made different pictures under one fingerprint, and verify found nothing."""
    expected = library_versions(RunConfig())
    with pytest.raises(UserError) as error:
        require_libraries({**expected, "pillow": "1.0"})
    said = str(error.value)
    assert said.startswith(f"{socket.gethostname()} has other libraries than the driver")
    assert f"(pillow {expected['pillow']}, not 1.0)" in said


def test_a_library_that_is_missing_is_named():
    with pytest.raises(UserError, match=r"synfiqa-dust not installed, not 1\.0"):
        require_libraries({"synfiqa-dust": "1.0"})
