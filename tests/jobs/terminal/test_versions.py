"""The versions that a person reports: of the checkout that runs, else of what is installed."""

from importlib.metadata import version

from synfiqa.jobs.terminal import versions


def test_a_checkout_that_is_not_installed_has_its_own_version(tmp_path, monkeypatch):
    """Ray uploads the links of a checkout as folders: pyproject.toml is then one folder further up."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "synfiqa"\nversion = "9.8.7"\n')
    monkeypatch.setattr(versions, "_CHECKOUTS", (tmp_path / "synfiqa", tmp_path))
    assert versions.version_line().startswith("synfiqa 9.8.7, Python 3.12.")


def test_the_project_of_somebody_else_above_an_installed_package_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "theirs"\nversion = "9.8.7"\n')
    monkeypatch.setattr(versions, "_CHECKOUTS", (tmp_path,))
    monkeypatch.setattr(versions, "version", lambda name: version("pytest") if name == "synfiqa" else version(name))
    assert versions.version_line().startswith(f"synfiqa {version('pytest')}, ")
