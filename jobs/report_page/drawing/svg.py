"""Converts figures to inline SVG in the colours of the page; one drawing serves light and dark mode."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

# Matplotlib accepts real colours only, so each role draws with a stand-in that becomes a CSS variable of the page.
_STAND_INS = {
    "ink": "#0a0b01",
    "muted": "#0a0b02",
    "line": "#0a0b03",
    "accent": "#0a0b04",
    "accent-soft": "#0a0b05",
    "series-1": "#0a0b06",
    "series-2": "#0a0b07",
    "series-3": "#0a0b08",
    "series-4": "#0a0b09",
    "series-5": "#0a0b0a",
    "paper": "#0a0b0b",
    "series-6": "#0a0b0c",
    "series-7": "#0a0b0d",
    "series-8": "#0a0b0e",
}
_VARIABLES = {colour: f"var(--{role})" for role, colour in _STAND_INS.items()}
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FONT_FAMILY = re.compile(r"\s*font-family:[^;]*;?")
_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_REFERENCE = re.compile(r"#([\w-]+)")
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # Category and method names are data: a dollar sign in them is not mathematics.
    "text.parse_math": False,
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": _STAND_INS["line"],
    "axes.labelcolor": _STAND_INS["muted"],
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _STAND_INS["line"],
    "grid.linewidth": 0.6,
    "text.color": _STAND_INS["ink"],
    "xtick.color": _STAND_INS["line"],
    "ytick.color": _STAND_INS["line"],
    "xtick.labelcolor": _STAND_INS["muted"],
    "ytick.labelcolor": _STAND_INS["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 5,
}


def colour(role: str) -> str:
    """Return what to hand to matplotlib for a colour role of the page, such as `ink`, `accent` or `series-2`."""
    return _STAND_INS[role]


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style inside this context; names in data are never read as mathematics."""
    with mpl.rc_context():
        # A matplotlibrc of the machine must not change the report.
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def inline_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as one `<svg>` element: page colours and font, ids that start with `name`, no references out."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())
    _plain_names(root)
    _drop(root, {"metadata", "style"})
    _rename_ids(root, name)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _tidy(key, value))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", description)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _plain_names(root: ElementTree.Element) -> None:
    """Remove the namespaces, because SVG inside HTML has none."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in [key for key in element.attrib if "}" in key]:
            element.set(key.rpartition("}")[2], element.attrib.pop(key))


def _drop(element: ElementTree.Element, tags: set[str]) -> None:
    for child in list(element):
        if child.tag in tags:
            element.remove(child)
        else:
            _drop(child, tags)


def _rename_ids(root: ElementTree.Element, name: str) -> None:
    """Keep the ids that something refers to, made unique on the page."""
    used = {
        found
        for element in root.iter()
        for key in ("href", "clip-path")
        for found in _REFERENCE.findall(element.get(key, ""))
    }
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in used:
            element.set("id", f"{name}-{identifier}")
        for key in ("href", "clip-path"):
            if key in element.attrib:
                element.set(key, _REFERENCE.sub(rf"#{name}-\1", element.attrib[key]))


def _tidy(key: str, value: str) -> str:
    if key == "style":
        value = _FONT_FAMILY.sub("", value)
        return _COLOUR.sub(lambda match: _VARIABLES.get(match.group(), match.group()), value)
    if key in ("d", "x", "y", "transform"):
        return " ".join(_NUMBER.sub(r"\1", value).split())
    return value
