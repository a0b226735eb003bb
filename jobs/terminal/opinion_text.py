"""Agreement with opinion scores as lines for the terminal."""

from synfiqa.schemas.evaluation import OpinionEvaluation


def opinion_lines(evaluation: OpinionEvaluation) -> list[str]:
    """Return what was measured on, then a row for each method: SRCC, KRCC, PLCC without and with the mapping."""
    own = evaluation.basis.test_set
    width = max(len("method"), *(len(name) for name in evaluation.results))
    lines = [
        f"{own.name}: {own.format}, {evaluation.images} images; {own.protocol}",
        f"  {'method':{width}}    SRCC    KRCC    PLCC  PLCC after logistic mapping",
    ]
    for name, one in evaluation.results.items():
        lines.append(f"  {name:{width}}  {one.srcc:6.4f}  {one.krcc:6.4f}  {one.plcc:6.4f}  {one.plcc_mapped:6.4f}")
    return lines
