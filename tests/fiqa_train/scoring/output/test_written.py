"""Files of scores: three formats with equal rows, and rows that survive whatever ends the command."""

import csv
import json

import pyarrow.parquet as pq
import pytest

from synfiqa.fiqa_train.scoring.output.journal import Journal
from synfiqa.fiqa_train.scoring.output.row_files import LineRows, is_scores
from synfiqa.fiqa_train.scoring.output.score_columns import row_of, score_schema
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.output.sheet import SheetRows
from synfiqa.fiqa_train.scoring.output.target import check_target, named_target, without_scores
from synfiqa.fiqa_train.scoring.output.written import Output, write_scores
from synfiqa.fiqa_train.scoring.photographs import Score
from synfiqa.schemas.errors import JobFailed, UserError

SCORERS = [ScorerColumn("one", "aa")]
NAMES = [f"{number}, a.jpg" for number in range(7)]
ENDINGS = [".csv", ".jsonl", ".parquet"]


def rows_of(name):
    """Two faces in each second photograph; the third has none."""
    number = int(name[0])
    if number == 2:
        return [row_of(Score(name, reason='no face found, "really"'), SCORERS)]
    count = 1 + number % 2
    return [row_of(Score(name, face, count, {"one": number + face / 10}), SCORERS) for face in range(count)]


def written(target, names=NAMES, stop=None, settings=None, error=KeyboardInterrupt):
    """Write the rows of all names; `stop` raises before that name. Returns the names that were scored."""
    scored = []

    def groups(done):
        for name in names:
            if name == stop:
                raise error
            if name not in done:
                scored.append(name)
                yield name, rows_of(name)

    write_scores(Output(target, SCORERS, settings or {"models": {"one": "aa"}}), names, groups, SheetRows())
    return scored


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_rows_are_in_the_file_and_nothing_beside_it(ending, tmp_path):
    target = tmp_path / f"scores{ending}"
    written(target)
    rows = read(target)
    assert [row["path"] for row in rows] == [row["path"] for name in NAMES for row in rows_of(name)]
    assert list(rows[0]) == score_schema(SCORERS).names
    assert rows[3]["reason"] == 'no face found, "really"'
    assert float(rows[-1]["score"]) == 6
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert is_scores(target)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("cut", [False, True])
def test_an_interrupted_call_goes_on_to_the_same_bytes(ending, cut, tmp_path):
    """Ctrl-C promised a resume that the command had not: nothing was kept."""
    whole, target = tmp_path / f"whole{ending}", tmp_path / f"scores{ending}"
    written(whole)
    with pytest.raises(KeyboardInterrupt):
        written(target, stop=NAMES[4])
    if ending != ".parquet":
        assert len(read(target)) == sum(len(rows_of(name)) for name in NAMES[:4]), "rows are there as they are made"
    if cut:
        # A kill in the middle of a write.
        journal = target.with_name(target.name + ".unfinished")
        journal.write_bytes(journal.read_bytes()[:-30])
    assert written(target) == NAMES[3 if cut else 4 :]
    assert target.read_bytes() == whole.read_bytes()
    assert not target.with_name(target.name + ".unfinished").exists()


def test_rows_of_photographs_that_are_gone_are_left_out(tmp_path):
    target = tmp_path / "scores.csv"
    with pytest.raises(KeyboardInterrupt):
        written(target, stop=NAMES[4])
    written(target, NAMES[1:])
    assert NAMES[0] not in {row["path"] for row in read(target)}


def test_other_settings_are_refused_with_the_difference(tmp_path):
    target = tmp_path / "scores.csv"
    with pytest.raises(KeyboardInterrupt):
        written(target, stop=NAMES[4])
    before = target.read_bytes()
    with pytest.raises(UserError, match=r'begun with other settings \(models {"one": "aa"}, now {"one": "bb"}\)'):
        written(target, settings={"models": {"one": "bb"}})
    assert target.read_bytes() == before
    target.with_name("scores.csv.unfinished").unlink()
    written(target, settings={"models": {"one": "bb"}})


def test_a_second_command_on_the_same_file_is_refused(tmp_path):
    target = tmp_path / "scores.csv"
    first = Journal(target, {"models": {"one": "aa"}})
    with pytest.raises(UserError, match="another command is writing"):
        written(target)
    first.close()
    written(target)


def test_an_older_file_survives_until_the_first_row(tmp_path):
    target = tmp_path / "scores.csv"
    target.write_text("precious")
    with pytest.raises(RuntimeError):
        written(target, stop=NAMES[0], error=RuntimeError)
    assert target.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]


def test_a_full_disk_is_one_sentence_and_keeps_the_rows(tmp_path, monkeypatch):
    target = tmp_path / "scores.csv"
    add, count = LineRows.add, iter(range(9))

    def fill(self, rows):
        if next(count) == 4:
            raise OSError(28, "No space left on device")
        add(self, rows)

    monkeypatch.setattr(LineRows, "add", fill)
    with pytest.raises(JobFailed, match=r"cannot go on writing .*No space left.* same command goes on"):
        written(target)
    monkeypatch.undo()
    assert written(target) == NAMES[5:]
    assert len(read(target)) == sum(len(rows_of(name)) for name in NAMES)


def test_no_rows_make_an_empty_table(tmp_path):
    for ending in ENDINGS:
        written(tmp_path / f"scores{ending}", [])
        assert read(tmp_path / f"scores{ending}") == []


def test_the_ending_decides_the_format(tmp_path):
    for name in ("scores.txt", "scores", "scores.json"):
        with pytest.raises(UserError, match=r"end it with one of \.csv, \.jsonl, \.ndjson, \.parquet"):
            check_target(tmp_path / name, [])
    with pytest.raises(UserError, match="is a folder"):
        named_target(str(tmp_path))
    assert named_target("~/scores.csv").is_absolute(), "~ is the home folder"


def test_scores_among_the_inputs_are_left_out(tmp_path):
    names = []
    for ending in ENDINGS:
        written(tmp_path / f"scores{ending}")
        names.append(str(tmp_path / f"scores{ending}"))
    other = tmp_path / "list.csv"
    other.write_text("path\na.jpg\n")
    assert without_scores([*names, other, "photos/"]) == ([str(other), "photos/"], names)


def test_no_input_is_replaced(tmp_path):
    paths = tmp_path / "list.csv"
    paths.write_text("a.jpg\n")
    (tmp_path / "link.csv").symlink_to(paths)
    for target in (paths, tmp_path / "link.csv", tmp_path / "x" / ".." / "list.csv"):
        with pytest.raises(UserError, match="is one of the photographs"):
            check_target(target, [paths])
    check_target(tmp_path / "other.csv", [paths])
