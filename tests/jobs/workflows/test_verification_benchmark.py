"""The benchmark jobs as a user runs them."""

import json

import pytest

from synfiqa.fiqa_train.rendered_benchmark.plan import Settings
from synfiqa.jobs.cli import build_parser, main
from synfiqa.jobs.workflows.verification_benchmark import run_check, run_make, run_score
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.evaluation import BenchmarkResult, parse

ARGUMENTS = ["--identities", "4", "--references", "1", "--mixed", "0", "--factors", "blur,noise", "--processes", "1"]


def ends(arguments):
    with pytest.raises(SystemExit) as stop:
        main(["benchmark", *arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "b"
    assert ends(["make", "--out", str(folder), *ARGUMENTS]) == 0
    return folder


def test_make_again_check_and_score(made, model, tmp_path, capsys):
    assert ends(["make", "--out", str(made), *ARGUMENTS]) == 0
    again = capsys.readouterr().out
    assert ends(["check", str(made)]) == 0
    checked = capsys.readouterr().out
    assert checked == again
    assert "4 references and 44 probes of 4 identities" in checked
    assert "44 genuine and 132 impostor" in checked
    out = tmp_path / "figures.json"
    assert ends(["score", str(made), "--model", model, "--out", str(out), "--bootstrap", "10"]) == 0
    first, _, *methods = capsys.readouterr().out.splitlines()
    assert first.startswith("bundled-b rejects ")
    assert "at FMR 1 % of 132 impostor pairs" in first
    assert [line.split()[0] for line in methods] == ["model", "sharpness", "random"]
    figures = json.loads(out.read_bytes())
    assert list(figures)[:4] == ["version", "benchmark", "evaluator", "model"]
    assert parse(BenchmarkResult, figures).model_dump(mode="json") == figures
    assert figures["benchmark"]["digest"] == json.loads((made / "benchmark.json").read_bytes())["digest"]
    assert figures["evaluator"]["name"] == "bundled-b"
    assert {(r["mode"], r["fmr"]) for r in figures["results"]} == {("leaderboard", 0.01), ("iso", 0.01)}
    assert figures["results"][0]["differences"][0]["other"] == "sharpness"
    assert list(figures["factors"]) == ["clean", "blur", "noise"]


def test_other_scorers_are_compared_by_name(made, tmp_path, capsys):
    out = tmp_path / "figures.json"
    names = ["--scorers", "mirror,sharpness,norm", "--bootstrap", "0", "--out", str(out)]
    assert ends(["score", str(made), "--model", "bundled-quality", *names]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == [
        "model", "mirror", "sharpness", "norm"
    ]  # fmt: skip
    figures = json.loads(out.read_bytes())
    assert figures["model"]["name"] == "bundled-quality"
    assert [entry["other"] for entry in figures["results"][0]["differences"]] == ["mirror", "sharpness", "norm"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("laplacian", "--scorers: there is no scorer 'laplacian'; choose among"),
        ("label", "--scorers: the scorer 'label' needs the labels of a run"),
        ("norm,norm", "--scorers: 'norm' is there twice"),
        ("model", "--scorers: 'model' is there twice"),
    ],
)
def test_wrong_scorers_end_with_2(made, tmp_path, capsys, names, message):
    out = tmp_path / "figures.json"
    assert ends(["score", str(made), "--model", "sharpness", "--scorers", names, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_damage_fails_the_check_and_stops_the_score(made, model, tmp_path, capsys):
    image = made / "data/000001/2.jpg"
    intact = image.read_bytes()
    try:
        image.write_bytes(intact[:-1])
        assert ends(["check", str(made)]) == 1
        said = capsys.readouterr()
        assert "damaged data/000001/2.jpg" in said.out
        assert "1 problems" in said.err
        assert ends(["score", str(made), "--model", model, "--out", str(tmp_path / "s.json")]) == 1
        assert "2.jpg is damaged" in capsys.readouterr().err
    finally:
        image.write_bytes(intact)
    run_check(made)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--identities", "1"], "--identities 1 will not do: input should be greater"),
        (["--factors", "yaw,mood"], "--factors yaw,mood will not do: factors are some of yaw, pitch"),
        (["--out", "s3://bucket/b"], "lies on this machine"),
    ],
)
def test_wrong_arguments_are_one_sentence(tmp_path, capsys, arguments, message):
    assert ends(["make", "--out", str(tmp_path / "b"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_figures_are_never_written_into_the_benchmark(made, model):
    for out in (made, made / "score.json"):
        with pytest.raises(UserError, match="beside the benchmark"):
            run_score(made, model, out)


def test_the_defaults_are_the_settings_defaults():
    options = build_parser().parse_args(["benchmark", "make", "--out", "b"])
    named = {name: getattr(options, name) for name in ("seed", "identities", "references", "mixed")}
    assert Settings(**named) == Settings()


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds other files"):
        run_make(tmp_path, Settings(identities=2), 1)
