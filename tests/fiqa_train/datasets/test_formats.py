"""What `--on` may name: refused before any set is opened."""

import pytest

import synfiqa.fiqa_train.datasets.photo_files as photos
from synfiqa.fiqa_train.datasets.formats import FORMATS, open_test_sets
from synfiqa.fiqa_train.rendered_benchmark.benchmark_set import BENCHMARK
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.small_photos import save


@pytest.fixture
def people(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "image_size", lambda path: pytest.fail("a set was opened"))
    for seed, name in enumerate(["a/1.png", "b/1.png"]):
        save(tmp_path / "people" / name, seed)
    return tmp_path / "people"


@pytest.mark.parametrize("source", ["people", "=people", "lfw=", "a/b=people", "../x=people", "-x=people", "x y=p"])
def test_names_that_name_no_file_are_refused(source):
    with pytest.raises(UserError, match="give NAME=PATH"):
        open_test_sets([source])


def test_a_doubled_name_and_an_absent_path_are_refused_before_a_set_is_opened(people):
    with pytest.raises(UserError, match="--on a: this name is given twice"):
        open_test_sets([f"a={people}", f"a={people}"])
    with pytest.raises(UserError, match=r"--on b: .*absent does not exist"):
        open_test_sets([f"a={people}", f"b={people}/absent"])


def test_an_unknown_format_is_refused_with_the_known_ones(people, tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "a.txt", tmp_path / "empty"):
        with pytest.raises(UserError, match=r"is of no known format; those are an InsightFace \.bin, .* a person"):
            open_test_sets([f"a={people}", f"b={path}"])


def test_passwords_of_urls_are_not_printed():
    with pytest.raises(UserError) as refused:
        open_test_sets(["memory://user:secret@host/run"])
    assert "secret" not in str(refused.value)


def test_every_format_says_what_it_is():
    assert len({format.what for format in (BENCHMARK, *FORMATS)}) == len(FORMATS) + 1
