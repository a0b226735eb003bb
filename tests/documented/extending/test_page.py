"""docs/extending.md: each of its diffs applies to this checkout, and the tests that it adds or changes pass."""

import sys

import pytest

from tests.documented.extending.page import apply, run

TESTS = {
    "factor": ("tests/schemas/factors", "tests/actors/degradation/test_operators.py", "tests/schemas/test_rows.py"),
    "network": ("tests/actors/nets/test_pooled_net.py",),
    "job": ("tests/jobs/test_cli.py",),
}
"""Tests of each diff."""


@pytest.mark.parametrize("title", TESTS)
def test_a_diff_of_the_page_applies_and_its_tests_pass(title, tmp_path):
    copy = apply(title, tmp_path)
    path = {"PYTHONPATH": str(copy)}
    if title == "factor":
        page = run([sys.executable, "-m", "synfiqa.schemas.factors.markdown"], copy, **path)
        (copy / "docs" / "factors.md").write_text(page, encoding="utf-8")
        assert "Dark corners" in page
    options = ("-q", "-n", "0", "-p", "no:cacheprovider")
    run([sys.executable, "-m", "pytest", *options, *TESTS[title]], copy, **path)
