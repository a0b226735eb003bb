"""Writes a leaderboard: `leaderboard.json`, and the same figures as Markdown and HTML."""

from collections.abc import Sequence
from pathlib import Path

from synfiqa.cluster.run.generations import current
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import Storage
from synfiqa.fiqa_train.leaderboard.build import build_leaderboard
from synfiqa.fiqa_train.leaderboard.sets import named_sources
from synfiqa.schemas.config.leaderboard_config import LeaderboardConfig
from synfiqa.schemas.config.run import RunConfig
from synfiqa.schemas.evaluation import file_content


def run_leaderboard(
    config: LeaderboardConfig,
    recorded: RunConfig,
    on: Sequence[str],
    folder: Path,
    *,
    quick: bool = False,
    scores: Sequence[str] = (),
) -> list[Path]:
    """Measure and write; return the files. `recorded` is the config that the run was made with, `on` are NAME=PATH.

    `scores` are `[SET:]NAME=FILE`. UserError before anything is measured for a set given twice, one of an unknown
    format, scores that cannot be used, and a folder that cannot be written. Files of an earlier leaderboard stay until
    the new ones are complete.
    """
    from synfiqa.jobs.leaderboard_page.board_html import html
    from synfiqa.jobs.leaderboard_page.board_markdown import markdown

    sources = named_sources(config.sets, on)
    target = Storage(str(folder.expanduser().absolute()))
    preflight(target)
    found = build_leaderboard(config, recorded, current(recorded.run.url), sources, quick=quick, scores=scores)
    contents = {
        "leaderboard.md": markdown(found).encode(),
        "leaderboard.html": html(found).encode(),
        "leaderboard.json": file_content(found),
    }
    for name, content in contents.items():
        target.write(name, content)
    return [folder / name for name in contents]
