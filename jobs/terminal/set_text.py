"""The evaluation on a test set as lines for the terminal."""

from synfiqa.jobs.terminal.summary import score_file_line
from synfiqa.schemas.evaluation import Method, NetworkComparison, SetEvaluation

HEAD = ("judge", "mode", "FMR", "R", "F_0", "genuine", "impostor")


def set_lines(evaluation: SetEvaluation) -> list[str]:
    """Return what was measured and left out, then a table: one row a judge, mode and FMR, pAUC by method."""
    own = evaluation.basis.test_set
    compared = "templates" if evaluation.templates is not None else "images"
    count = evaluation.images if evaluation.templates is None else evaluation.templates
    lines = [
        f"{own.name}: {own.format}, {count} {compared} of {evaluation.identities} identities "
        f"({evaluation.identities_from}); {own.crops}",
        f"  pairs {evaluation.pairs}{' (impostors sampled)' if evaluation.impostors_sampled else ''}: {own.protocol}",
    ]
    if evaluation.without_face:
        named = ", ".join(one.name for one in evaluation.left_out[:5])
        more = " and others" if evaluation.without_face > 5 else ""
        lines.append(
            f"  left out: {evaluation.without_face} images without a face ({named}{more}) and "
            f"{evaluation.pairs_left_out} pairs with them"
        )
    lines += [f"  left out: scorer {one.name}, since {one.reason}" for one in evaluation.scorers_left_out]
    lines += [f"  left out: FMR {one.fmr:g}. {one.reason}" for one in evaluation.skipped]
    lines += [f"  {score_file_line(file)}" for file in evaluation.score_files]
    lines.append("  pAUC over discarded shares 0..R; 1 is useless, lower is better")
    names = list(evaluation.results[0].methods)
    return lines + _table([(*HEAD, *names), *(_row(one, names) for one in evaluation.results)])


def _row(result: NetworkComparison, names: list[str]) -> tuple[str, ...]:
    return (
        result.embedder,
        result.mode,
        f"{result.fmr:g}",
        f"{result.discard_limit:g}",
        "undefined" if result.fnmr0 is None else f"{result.fnmr0:.4f}",
        str(result.n_genuine),
        str(result.n_impostor),
        *(_figure(result.methods[name]) for name in names),
    )


def _figure(method: Method) -> str:
    if method.pauc is None:
        return "undefined"
    interval = method.interval
    bounds = "" if interval is None or interval.low is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{method.pauc:.3f}{bounds}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
