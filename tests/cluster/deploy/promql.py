"""Names and labels that PromQL may use, and those in an expression, found by its tokens; brackets must close."""

import re
from dataclasses import dataclass

from synfiqa.cluster.telemetry.metric_table import DEFINITIONS, OTHERS

SUFFIXES = {"histogram": ("_bucket", "_count")}
"""Series of a histogram; Ray's `_sum` is an estimate, and no query takes it."""
SERIES = {
    f"{one.exported}{suffix}": {*one.labels, *(("le",) if suffix == "_bucket" else ())}
    for one in DEFINITIONS
    for suffix in SUFFIXES.get(one.kind, ("",))
} | {name: set(labels) for name, labels in OTHERS.items()}
"""Every name that a query may use, with its own labels."""
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>\d+(?:\.\d+)?(?:ms|[smhdwy])?)
    |(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*|\$[a-zA-Z_]+)
    |(?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^(){}\[\],=<>:@])""",
    re.VERBOSE,
)
_WITH_LABELS = ("by", "without", "on", "ignoring", "group_left", "group_right")
_WORDS = {"and", "or", "unless", "offset", "bool", "start", "end", *_WITH_LABELS}
_CLOSING = {"(": ")", "{": "}", "[": "]"}


@dataclass(frozen=True)
class Names:
    """What an expression names: selected metrics with the labels of their selectors, and labels of groupings."""

    metrics: dict[str, frozenset[str]]
    grouping: frozenset[str]
    functions: frozenset[str]


def tokens(text: str) -> list[tuple[str, str]]:
    """Return kind and text of each token; ValueError at the first character that begins none."""
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"no PromQL at {text[at : at + 20]!r}")
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


def names(text: str) -> Names:
    """Return the names in an expression; ValueError where brackets do not close or a token is none of PromQL's."""
    found = tokens(text)
    opened: list[tuple[str, str]] = []
    metrics: dict[str, frozenset[str]] = {}
    grouping: set[str] = set()
    functions: set[str] = set()
    for at, (kind, token) in enumerate(found):
        before = found[at - 1][1] if at else ""
        after = found[at + 1][1] if at + 1 < len(found) else ""
        if token in _CLOSING and kind == "sign":
            opened.append((token, before))
        elif token in _CLOSING.values() and kind == "sign":
            if not opened or _CLOSING[opened.pop()[0]] != token:
                raise ValueError(f"{token} closes nothing in {text}")
        elif kind == "name" and token not in _WORDS:
            bracket, owner = opened[-1] if opened else ("", "")
            if bracket == "{":
                if after in ("=", "!=", "=~", "!~"):
                    metrics[owner] = metrics[owner] | {token}
            elif bracket == "(" and owner in _WITH_LABELS:
                grouping.add(token)
            elif after == "(" or (after in ("by", "without")):
                functions.add(token)
            elif bracket != "[":
                metrics.setdefault(token, frozenset())
    if opened:
        raise ValueError(f"{opened[-1][0]} is not closed in {text}")
    return Names(metrics, frozenset(grouping), frozenset(functions))
