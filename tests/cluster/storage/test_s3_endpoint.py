"""A wrong address of the S3 server in the environment is refused before a request."""

import pytest

from synfiqa.actors.model_store.fetch import download
from synfiqa.cluster.storage.s3_endpoint import ENDPOINTS, check_endpoint
from synfiqa.cluster.storage.storage import Storage
from synfiqa.jobs.cli import main
from synfiqa.schemas.errors import UserError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in (*ENDPOINTS, "AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", ENDPOINTS)
@pytest.mark.parametrize(
    ("value", "better"),
    [
        ("127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("localhost:9000", "http://localhost:9000"),
        ("minio.example", "http://minio.example"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("//minio:9000", "http://minio:9000"),
        ("http:/minio:9000", "http://minio:9000"),
        ("https//minio:9000", "http://minio:9000"),
        ("ftp://minio:9000", "http://minio:9000"),
        ("http-proxy:9000", "http://http-proxy:9000"),
        ("http://", "http://127.0.0.1:9000"),
        ("http://[::1", "http://127.0.0.1:9000"),
        ("http://my_minio:9000", "http://127.0.0.1:9000"),
        ("http://minio:port", "http://127.0.0.1:9000"),
    ],
)
def test_an_endpoint_that_is_no_url_is_named_with_its_variable(monkeypatch, variable, value, better):
    """`AWS_ENDPOINT_URL=127.0.0.1:9000` ended in the traceback of a ValueError."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(UserError) as caught:
        Storage("s3://bucket/run")
    sentence = str(caught.value)
    assert sentence.startswith(f"{variable} is {value!r}, which is no URL of a server: ")
    assert "http:// or https://" in sentence
    assert sentence.endswith(f"such as {better}")


@pytest.mark.parametrize(
    "value", ["", "http://127.0.0.1:9000", "https://minio.example/", "HTTP://minio:9000/s3", "http://[::1]:9000"]
)
def test_a_valid_url_is_accepted(monkeypatch, value):
    monkeypatch.setenv("AWS_ENDPOINT_URL", value)
    check_endpoint()


def test_only_the_variable_in_effect_is_checked(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    check_endpoint()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "127.0.0.1:9000")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    check_endpoint()


def test_no_credentials_are_shown(monkeypatch):
    for value in ("user:s3c/ret@minio:9000", "ftp://user:s3cret@minio:9000"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", value)
        with pytest.raises(UserError, match="http://minio:9000") as caught:
            check_endpoint()
        assert "s3c" not in str(caught.value)


def test_a_local_run_ignores_the_endpoint(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    assert Storage(str(tmp_path)).list() == []


def test_jobs_exit_2_and_weights_are_not_fetched(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    with pytest.raises(SystemExit) as stop:
        main(["status", "s3://bucket/run"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("synfiqa: AWS_ENDPOINT_URL is '127.0.0.1:9000', which is no URL")
    with pytest.raises(UserError, match="AWS_ENDPOINT_URL is"):
        download("s3://bucket/weights.pth", tmp_path / "weights.pth")


def test_a_bundle_of_authorities_that_does_not_exist_is_named_at_once(monkeypatch, tmp_path):
    """The client reported it as a store that cannot be reached, which was retried for 30 seconds."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "own.pem"))
    with pytest.raises(UserError, match=r"AWS_CA_BUNDLE is .*own\.pem, which does not exist on "):
        Storage("s3://bucket/run")
    (tmp_path / "own.pem").touch()
    Storage("s3://bucket/run")
