"""URLs with a missing slash or colon are refused with the right spelling instead of making a local folder."""

import pytest

from synfiqa.cluster.storage.storage import Storage
from synfiqa.cluster.storage.url_spelling import intended_url
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError


@pytest.mark.parametrize("mark", [":", ":/", "//", "///"])
@pytest.mark.parametrize(
    "protocol", ["s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "http", "https", "memory", "sftp"]
)
def test_a_misspelt_url_is_refused_with_the_right_one(tmp_path, monkeypatch, protocol, mark):
    """`s3:/bucket/x` and `s3//bucket/x` made the dataset in a folder of that name, and nothing on the store."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf": write {protocol}://bucket/x, or begin the path with \./ if it is"):
        Storage(f"{protocol}{mark}bucket/x").write("run.json", b"{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("S3:/bucket/x/", "s3://bucket/x/"),
        ("s3:", "s3://"),
        ("file:/tmp/x", "file:///tmp/x"),
        ("file//tmp/x", "file:///tmp/x"),
        ("file:x", "file://x"),
        ("local:/tmp/x", "local:///tmp/x"),
    ],
)
def test_the_intended_url(text, url):
    assert intended_url(text) == url


@pytest.mark.parametrize(
    "path", ["./s3:/x", "./s3//x", "./s3/x", "s3/x", "s3", "data//run", "/s3:/x", "runs/s3:/x", "a:/x", "../gs//x"]
)
def test_a_local_folder_may_have_such_a_name(tmp_path, monkeypatch, path):
    assert intended_url(path) is None
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    if not path.startswith("/"):
        Storage(path).write("run.json", b"{}")
        assert (tmp_path / "here" / path / "run.json").read_bytes() == b"{}"
        assert Storage(Storage(path).url).local() == Storage(path).local()


@pytest.mark.parametrize("url", ["s3://bucket/x", "file:///tmp/x", "memory://x", "simplecache::s3://bucket/x"])
def test_a_valid_url_is_not_misspelt(url):
    assert intended_url(url) is None


def test_no_credentials_are_shown():
    with pytest.raises(UserError, match="write s3://bucket/x, or") as caught:
        Storage("s3:/key:s3c/ret@bucket/x?token=s3cret")
    assert "s3c" not in str(caught.value).replace("s3://", "")


def test_jobs_exit_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["verify", "--run", "s3:/bucket/x"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "synfiqa: the URL is misspelt: write s3://bucket/x, or begin the path with ./ if it is that of a local folder\n"
    )
