"""docs/extending.md: each of its diffs applies to this checkout, and the tests that it adds or changes pass."""

import sys

import pytest

from tests.documented.extending.page import APPLY, ROOT, apply, blocks, copied, run

TESTS = {
    "factor": ("tests/schemas/factors", "tests/actors/degradation/test_operators.py", "tests/schemas/test_rows.py"),
    "network": ("tests/actors/nets/test_pooled_net.py",),
    "job": ("tests/jobs/test_cli.py",),
}
"""Tests of each diff."""


@pytest.mark.parametrize("title", TESTS)
def test_a_diff_of_the_page_applies(title, tmp_path):
    (tmp_path / "change.diff").write_text(blocks()[title], encoding="utf-8")
    run([*APPLY, "--check", str(tmp_path / "change.diff")], ROOT)


def test_the_tests_of_the_diffs_pass(tmp_path):
    """One copy has them all, for they change different files; so the tests start once."""
    copy = copied(tmp_path)
    for title in TESTS:
        apply(title, copy)
    path = {"PYTHONPATH": str(copy)}
    page = run([sys.executable, "-m", "synfiqa.schemas.factors.markdown"], copy, **path)
    (copy / "docs" / "factors.md").write_text(page, encoding="utf-8")
    assert "Dark corners" in page
    options = ("-q", "-n", "0", "-p", "no:cacheprovider")
    run([sys.executable, "-m", "pytest", *options, *(test for tests in TESTS.values() for test in tests)], copy, **path)
