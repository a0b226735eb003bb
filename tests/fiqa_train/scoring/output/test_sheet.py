"""The sheet: best, worst and failed with their boxes, in one file that opens anywhere."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from synfiqa.fiqa_train.scoring.output.score_columns import row_of
from synfiqa.fiqa_train.scoring.output.scorer_column import ScorerColumn
from synfiqa.fiqa_train.scoring.output.sheet import SHOWN, SheetRows, require_folder, write_sheet
from synfiqa.fiqa_train.scoring.photographs import Score
from synfiqa.schemas.errors import UserError

SCORERS = [ScorerColumn("one", "aa")]


def face(number, box=(100.0, 80.0, 160.0, 150.0)):
    return row_of(Score(f"<{number}>.jpg", 0, 1, {"one": number / 100}, "", 0.9, box), SCORERS)


def test_the_best_and_the_worst_are_those_of_all_rows_in_any_order():
    rows = SheetRows()
    for number in np.random.default_rng(0).permutation(100):
        rows.add([face(int(number))])
    rows.add([row_of(Score("none.jpg", reason="no face found"), SCORERS)])
    (_, best), (_, worst), (_, failed) = rows.parts()
    assert [row["score"] for row in best] == [round((99 - rank) / 100, 6) for rank in range(SHOWN)]
    assert [row["score"] for row in worst] == [rank / 100 for rank in range(SHOWN)]
    assert [row["path"] for row in failed] == ["none.jpg"]


def test_few_faces_stand_once():
    rows = SheetRows()
    rows.add([face(1)])
    rows.add([face(2)])
    assert [len(shown) for _, shown in rows.parts()] == [2, 0, 0]


def test_the_page_has_the_pictures_with_boxes_and_no_markup_of_names(tmp_path):
    rows = SheetRows()
    rows.add([face(50)])
    rows.add([row_of(Score("gone.jpg", reason="gone.jpg is empty"), SCORERS)])

    def read(row):
        if row["path"] == "gone.jpg":
            raise ValueError("gone")
        return np.full((300, 400, 3), 128, np.uint8), 0.5

    require_folder(tmp_path / "sheet")
    page = write_sheet(tmp_path / "sheet", rows, read, {"Scores": "scores.csv"}).read_text()
    assert "&lt;50&gt;.jpg" in page
    assert "<50>" not in page
    assert "gone.jpg is empty" in page
    assert 'src="http' not in page
    (picture,) = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture)))).astype(int)
    # The box is (200, 160, 320, 300) in pixels of the picture, its margin 140: the cut begins at (60, 20).
    yellow = (pixels[..., 0] > 200) & (pixels[..., 2] < 120)
    rows_with, columns_with = np.flatnonzero(yellow.any(1)), np.flatnonzero(yellow.any(0))
    scale = max(pixels.shape) / 340
    assert rows_with[0] == pytest.approx((160 - 20) * scale, abs=4)
    assert columns_with[0] == pytest.approx((200 - 60) * scale, abs=4)
    assert columns_with[-1] == pytest.approx((320 - 60) * scale, abs=4)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"--preview .* cannot be made"):
        require_folder(tmp_path / "file")
