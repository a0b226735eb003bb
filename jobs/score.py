"""Command `score`: score photographs with quality scorers and write one file of scores."""

import argparse

from synfiqa.jobs.command import Command
from synfiqa.jobs.options import local_path
from synfiqa.jobs.score_options import OPTIONS, SCALE, models_of
from synfiqa.schemas.errors import UserError

PREVIEW = "--preview writes to this machine"


def score(options: argparse.Namespace) -> None:
    """Write the file of scores; the table of outcomes goes to standard error."""
    out = options.out if options.out == "-" else str(local_path(options.out))
    preview = None if options.preview is None else local_path(options.preview, PREVIEW).expanduser()
    from synfiqa.fiqa_train.scoring.photographs import SearchOptions

    search = SearchOptions(
        aligned=options.aligned,
        all_faces=options.all_faces,
        which=options.which,
        min_face=options.min_face,
        search_size=options.search_size,
        device=options.device,
        **({} if options.batch is None else {"batch": options.batch}),
    )
    if search.aligned and (search.all_faces or search.search_size or search.min_face):
        raise UserError(
            "--aligned takes crops as they are: leave --all-faces, --min-face and --search-size out, since no face is "
            "searched for"
        )
    if options.best is not None:
        from synfiqa.fiqa_train.scoring.video.best_shots import run_best_shots

        run_best_shots(options.paths, models_of(options.model), out, options.best, search, preview)
        return
    from synfiqa.fiqa_train.scoring.score_file import run_score

    run_score(options.paths, models_of(options.model), out, search, preview)


COMMAND = Command("score", "detect, align and score photographs (higher is better)", OPTIONS, score, SCALE)


if __name__ == "__main__":
    COMMAND.main()
