"""Score files of other tools: read by their columns, matched by name, refused in one sentence."""

import numpy as np
import pytest

from synfiqa.fiqa_train.datasets.scores.image_names import ImageNames
from synfiqa.fiqa_train.evaluation.external_scores import matched, open_score_files
from synfiqa.fiqa_train.ofiq.csv_table import HEADER
from synfiqa.schemas.errors import UserError
from tests.fiqa_train.ofiq.test_csv_table import row

IDS = ["000012/Ref-0", "000012/17", "000003/17"]
NAMES = ImageNames(IDS)


def written(tmp_path, text, name="lightqnet.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def opened(source, taken=("model",), sets=("run",)):
    (file,) = open_score_files([str(source)], taken, sets)
    return file


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("000012/17", 1),
        ("000012/17.jpg", 1),
        ("data/12/17.jpg", 1),
        ("/home/me/export/data/12/Ref-0.JPG", 0),
        ("export\\data\\3\\17.png", 2),
        ("./3/17.jpg", 2),
        ("17.jpg", -1),
        ("112/17.jpg", -1),
        ("", -1),
    ],
)
def test_paths_that_mean_an_image(path, row):
    assert NAMES.find(path) == row


def test_two_images_of_one_stem_are_found_by_their_full_names_alone():
    names = ImageNames(["a/1.jpg", "a/1.png", "1.jpg"])
    assert [names.find(path) for path in ("a/1.jpg", "x/a/1.png", "b/1.jpg", "a/1")] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "text",
    [
        "path,score\n000012/Ref-0,3\n12/17.jpg,1\n3/17.jpg,2\n9/9.jpg,7\n",
        "score,size,filename\n3,112,data/12/Ref-0.jpg\n1,112,data/12/17.jpg\n2,112,data/3/17.jpg\n7,1,data/9/9.jpg\n",
        "\ufeffPath, Score\r\n12/Ref-0.jpg,3\r\n12/17.jpg,1\r\n12/17.jpg,1.0\r\n3/17.jpg,2\r\n",
    ],
)
def test_rows_come_into_the_order_of_the_images(tmp_path, text):
    found = matched(opened(written(tmp_path, text)), NAMES)
    assert found.file.name == "lightqnet"
    assert found.scores.tolist() == [3, 1, 2]
    found.require(IDS, np.ones(3, bool), "images")


def test_scores_of_other_images_are_counted(tmp_path):
    file = opened(written(tmp_path, "path,score\n12/Ref-0.jpg,3\n9/9.jpg,7\n8/9.jpg,\n"))
    record = matched(file, NAMES).record
    assert (record.rows, record.unmatched) == (2, 1)
    assert len(record.sha256) == 64


def test_scores_for_half_of_the_images_are_refused(tmp_path):
    found = matched(opened(written(tmp_path, "path,score\n12/Ref-0.jpg,3\n12/17.jpg,\n")), NAMES)
    with pytest.raises(UserError, match=r"has no score for 2 of 3 images, such as 000012/17, 000003/17; score all"):
        found.require(IDS, np.ones(3, bool), "images")
    found.require(IDS, np.array([True, False, False]), "images with a face")


def test_two_scores_of_one_image_are_refused(tmp_path):
    file = opened(written(tmp_path, "path,score\n12/17.jpg,1\ndata/12/17.jpg,2\n"))
    with pytest.raises(UserError, match=r"different scores for 1 images, such as data/12/17\.jpg|such as 12/17\.jpg"):
        matched(file, NAMES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,score\n12/17.jpg,nan\n", r"lightqnet\.csv, line 2: the score 'nan' is no finite number"),
        ("path,score\n12/17.jpg,-inf\n", "the score '-inf' is no finite number"),
        ("path,score\n12/17.jpg,good\n", "the score 'good' is no finite number"),
        ("path,score\n12/17.jpg\n", "line 2: 1 fields, not 2"),
        ("name,value\na,1\n", r"has no header with path or sample_id or filename .* its first line is 'name,value'"),
        ("12/17.jpg,0.3\n", "has no header"),
        ("", "has no header"),
        ("path,score\n", "has no scores"),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        opened(written(tmp_path, text))


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (["model={0}"], "'model' is the name of a scorer or column"),
        (["label={0}"], "'label' is the name of a scorer or column"),
        (["a={0}", "a={0}"], "the name 'a' is given twice"),
        (["a={0}", "lfw:a={0}"], "the name 'a' is given twice"),
        (["other:a={0}"], "no set 'other' is measured on, but run, lfw"),
        (["a={0}.not"], "cannot read .*not"),
        (["a={0}:Sharpness"], "is no CSV of OFIQ, so that it has no Sharpness"),
        (["a b={0}"], "give NAME=FILE"),
    ],
)
def test_sources_that_are_refused(tmp_path, sources, said):
    path = written(tmp_path, "path,score\n12/17.jpg,1\n", "my scores.csv")
    with pytest.raises(UserError, match=said):
        open_score_files([source.format(path) for source in sources], ("model",), ("run", "lfw"))


def test_a_file_can_be_of_one_set_alone(tmp_path):
    path = written(tmp_path, "path,score\n12/17.jpg,1\n")
    files = open_score_files([f"run:a={path}", f"lfw:a={path}", f"b={path}"], (), ("run", "lfw"))
    assert [(file.name, file.covers("run"), file.covers("lfw")) for file in files] == [
        ("a", True, False),
        ("a", False, True),
        ("b", True, True),
    ]


def test_components_of_ofiq(tmp_path):
    lines = [row("x/12/Ref-0.jpg", {"Sharpness": 80}), row("x/12/17.jpg", {"Sharpness": -1}), row("x/3/17.jpg", {})]
    path = written(tmp_path, "\n".join([HEADER, *lines, ""]), "ofiq.csv")
    assert matched(opened(path), NAMES).scores.tolist() == [50, 50, 50], "UnifiedQualityScore"
    sharp = matched(opened(f"sharp={path}:Sharpness"), NAMES)
    assert sharp.scores.tolist() == [80, -1, 50], "an image that could not be assessed is the worst"
    assert np.isnan(sharp.components["Sharpness"][1])
    assert sharp.file.digest.endswith(":Sharpness")


def test_a_component_without_any_value_is_refused(tmp_path):
    lines = [row("x/12/17.jpg", {"UnifiedQualityScore": -1})]
    path = written(tmp_path, "\n".join([HEADER, *lines, ""]), "ofiq.csv")
    with pytest.raises(
        UserError, match=r"has no UnifiedQualityScore of any image; name another component .* such as Ba"
    ):
        opened(path)
