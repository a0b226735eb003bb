"""The pages of a leaderboard: every figure with its protocol, names as text, the best row marked."""

import re

import pytest

from synfiqa.fiqa_train.leaderboard.published import PUBLISHED
from synfiqa.jobs.leaderboard_page.board_html import COLOURED, FAINT, colours_of, html
from synfiqa.jobs.leaderboard_page.board_markdown import markdown
from synfiqa.schemas.evaluation import JUDGE, Difference, Interval
from synfiqa.schemas.leaderboard_result import (
    Beaten,
    LeaderboardResult,
    RankCorrelation,
    ScorerCost,
    SetFigures,
    Spread,
)
from tests.schemas.results import by_network, comparison, method

HOSTILE = "<b>|x"


def board(**changes):
    bounds = Interval(low=0.5, high=0.9, used=20, resamples=20)
    methods = {
        "good": method(0.6, bounds),
        HOSTILE: method(0.8),
        "random": method(0.5),
        "label": method(0.4),
        JUDGE: method(0.2),
    }
    results = [by_network("bundled-b", True, comparison("leaderboard", 0.01, methods))]
    results += [by_network("bundled-a", False, comparison("iso", 0.001, {"good": method(None)}))]
    content = {
        "run": "f" * 64,
        "dataset_sha256": "d" * 64,
        "config": "c" * 64,
        "quick": True,
        "scorers": ["good", HOSTILE, "random", "label"],
        "sets": [SetFigures(name="lfw", protocol="listed pairs", images=40, results=results, skipped=[])],
        "spreads": [
            Spread(
                group="small",
                members=["small-s0", "small-s1"],
                set="lfw",
                judge="bundled-b",
                mode="iso",
                fmr=0.01,
                mean=0.7,
                low=0.65,
                high=0.75,
            )
        ],
        "published": list(PUBLISHED[:2]),
        "left_out": ["set cfp: --on cfp: /x does not exist"],
    }
    return LeaderboardResult(**content | changes)


def test_markdown_has_every_figure_with_its_setting():
    text = markdown(board())
    assert "| **good**" not in text, "a name is no figure"
    assert "| judge f_r | 0.200 |" in text
    assert "what a perfect forecast would reach" in text
    assert "| good | **0.600 [0.500, 0.900]** |" in text
    assert "leaderboard, FMR 0.01, F_0" in text
    assert "Judge bundled-a; this network made the labels" in text
    assert "| good | no value |" in text
    assert "small (2)" in text
    assert "0.650 to 0.750" in text
    assert "set cfp: --on cfp: /x does not exist" in text
    assert "not to be compared with the rows above" in text
    assert "<b>\\|x" in text


def test_the_best_row_is_neither_label_nor_limit_nor_chance():
    rows = [line for line in markdown(board()).splitlines() if "**" in line and line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| good"]


def test_the_page_escapes_names_and_needs_nothing_from_outside():
    page = html(board())
    assert "&lt;b&gt;|x" in page
    assert "<b>|x" not in page
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert page.count("<svg") == 2
    assert 'class="number leads">0.600' in page
    assert "Left out" in page
    assert "listed pairs" in page


def test_paired_differences_stand_in_a_table_by_setting_that_scrolls_in_its_box():
    other = comparison("leaderboard", 0.01, {"good": method(0.6), "mine": method(0.8)}, (difference("good", "mine"),))
    results = [by_network("bundled-b", True, other)]
    sets = [SetFigures(name="lfw", protocol="listed", images=40, results=results, skipped=[])]
    page = html(board(sets=sets, scorers=["good", "mine"]))
    row = "<td>bundled-b, leaderboard, FMR 0.01</td><td>good minus mine: -0.200, 95 % [-0.300, -0.100]</td>"
    assert row in page
    tables = page.count("<table>")
    assert tables == len(re.findall(r'<div class="table[^"]*"><table>', page)) > 2


def difference(one: str, other: str) -> Difference:
    bounds = Interval(low=-0.3, high=-0.1, used=20, resamples=20)
    return Difference(method=one, other=other, difference=-0.2, interval=bounds)


def test_without_seeds_published_rows_and_gaps_their_sections_are_not_there():
    bare = board(spreads=[], published=[], left_out=[], quick=False)
    for text in (markdown(bare), html(bare)):
        for word in ("Training seeds", "Published", "Left out", "Quick"):
            assert word not in text


def test_wins_of_simple_measures_agreement_and_speed_have_their_parts():
    won = Beaten(
        method="ser-fiq",
        simple="norm",
        set="lfw",
        judge="bundled-b",
        mode="leaderboard",
        fmr=0.01,
        pauc=0.8,
        simple_pauc=0.5,
        apart=True,
    )
    agreement = RankCorrelation(scorers=["norm", HOSTILE], values=[[1.0, -0.25], [-0.25, 1.0]])
    cost = ScorerCost(scorer="norm", threads=2, single_per_s=10.04, batch=32, batch_per_s=1234.5, cpu_ms=6.5)
    methods = {"norm": method(0.5), "ser-fiq": method(0.8)}
    results = [by_network("bundled-b", True, comparison("leaderboard", 0.01, methods))]
    own = SetFigures(name="lfw", protocol="listed", images=40, results=results, skipped=[], correlation=agreement)
    found = board(sets=[own], scorers=["norm", "ser-fiq"], beaten=[won], costs=[cost])
    sentence = (
        "ser-fiq: a simple measure beats it in 1 of 1 settings (norm 1 x); in 1 of them the 95 % intervals do not "
        "overlap."
    )
    page, text = html(found), markdown(found)
    for document in (page, text):
        assert sentence in document
        assert "1,234.5" in document
        assert "with 2 threads" in document
        assert "−0.25" in document
    assert "<td>norm 0.500</td><td>ser-fiq 0.800</td>" in page
    assert "var(--series-1) 18%" in page, "a negative correlation has the other colour"
    assert "<b>|x" not in page
    assert "| norm | 10.0 | 1,234.5 | 32 | 6.50 |" in text


def test_a_large_table_draws_its_best_rows_in_colour_and_the_others_faint():
    methods = {f"scorer{at:02d}": method(0.5 + at / 100) for at in range(14)} | {"random": method(1.0)}
    results = [by_network("bundled-b", True, comparison("leaderboard", 0.01, methods))]
    own = SetFigures(name="lfw", protocol="listed", images=40, results=results, skipped=[])
    page = html(board(sets=[own], scorers=list(methods)))
    legend = page.split('class="legend"')[1].split("</div>")[0]
    assert re.findall(r"</span>([a-z0-9]+)<", legend) == [*(f"scorer{at:02d}" for at in range(5)), "random", "others"]


@pytest.mark.parametrize("always", [(), (JUDGE, "label", "random")])
def test_no_two_scorers_of_a_small_table_share_a_colour(always):
    """With nine rows three pairs did: the norm looked like the judge, sharpness like the bundled model."""
    names = [*always, *(f"scorer{at}" for at in range(COLOURED - len(always)))]
    colours = colours_of(names)
    assert len(set(colours.values())) == COLOURED
    assert FAINT not in colours.values()
