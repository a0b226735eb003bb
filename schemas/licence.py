"""Detects licences that forbid commercial use, to refuse a model card that claims more than its licence."""

import re
import unicodedata

_PURPOSE = r"\b(?:research|academic|evaluation|educational|scientific|personal)"
_BARRED = re.compile(
    "|".join(
        (
            r"(?<![a-z])NC(?![a-z])",
            r"\bnon[\s-]*commercial",
            r"\b(?:no|without)\s+commercial",
            # Within one clause only: text after a comma or semicolon has another subject.
            r"\bnot\b[^,;.]*\bcommercial",
            r"\bcommercial[^,;.]*\b(?:not|prohibited|forbidden|excluded)\b",
            _PURPOSE + r"\b.*\bonly\b",
            _PURPOSE + r"[\s-]+(?:use|purposes?|licen[cs]e)\b",
            # Without a licence no use is permitted.
            r"\b(?:none|not|nothing)\s+(?:stated|specified|given|declared|known)",
            r"\bno\s+licen[cs]e",
            r"\b(?:unknown|unclear|unstated|unspecified)\b",
            r"\ball\s+rights\s+reserved",
        )
    ),
    re.IGNORECASE,
)


def bars_commercial_use(licence: str) -> bool:
    """Return whether a licence text forbids commercial use or grants no rights; any Unicode dash counts."""
    text = unicodedata.normalize("NFKC", licence)
    plain = "".join("-" if unicodedata.category(letter) == "Pd" or letter == "\u2212" else letter for letter in text)
    return _BARRED.search(plain) is not None
