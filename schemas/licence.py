"""What the words of a licence say about commercial use: enough to refuse a card that claims more than its licence."""

import re
import unicodedata

_PURPOSE = r"\b(?:research|academic|evaluation|educational|scientific|personal)"
_BARRED = re.compile(
    "|".join(
        (
            r"(?<![a-z])NC(?![a-z])",
            r"\bnon[\s-]*commercial",
            r"\b(?:no|without)\s+commercial",
            # In one clause: what follows a comma or semicolon is about something else.
            r"\bnot\b[^,;.]*\bcommercial",
            r"\bcommercial[^,;.]*\b(?:not|prohibited|forbidden|excluded)\b",
            _PURPOSE + r"\b.*\bonly\b",
            _PURPOSE + r"[\s-]+(?:use|purposes?|licen[cs]e)\b",
            # Without a licence nothing is allowed.
            r"\b(?:none|not|nothing)\s+(?:stated|specified|given|declared|known)",
            r"\bno\s+licen[cs]e",
            r"\b(?:unknown|unclear|unstated|unspecified)\b",
            r"\ball\s+rights\s+reserved",
        )
    ),
    re.IGNORECASE,
)


def bars_commercial_use(licence: str) -> bool:
    """Tell whether a licence, as a card names it, forbids commercial use or grants nothing; any Unicode dash counts."""
    text = unicodedata.normalize("NFKC", licence)
    plain = "".join("-" if unicodedata.category(letter) == "Pd" or letter == "\u2212" else letter for letter in text)
    return _BARRED.search(plain) is not None
