"""The rules of the house as functions of a source tree: each returns its violations, one sentence each."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "schemas": (
        ("errors", "json_values", "licence", "seeds", "recipe"),
        ("plugins",),
        ("factors",),
        ("config", "rows", "model_card"),
        ("manifest",),
        ("calibration", "evaluation"),
        ("leaderboard_result", "audit"),
    ),
    "cluster": (("telemetry",), ("storage",), ("commits",), ("run",), ("ray_cluster",), ("pipeline",), ("upkeep",)),
    "actors": (
        ("weights", "device", "roles", "face3d"),
        ("imaging",),
        ("nets", "degradation"),
        ("model_store",),
        ("players",),
        ("face_analysis", "recognition", "image_text"),
        ("generation", "quality"),
        ("stages",),
    ),
    "fiqa_train": (
        ("labels", "ofiq"),
        ("portraits",),
        ("datasets", "export"),
        ("training",),
        ("evaluation", "scoring"),
        ("bundled", "rendered_benchmark"),
        ("leaderboard",),
    ),
    "jobs": (
        ("config", "terminal"),
        ("command", "report_page", "generation"),
        ("leaderboard_page",),
        ("workflows",),
        ("JOB",),
        ("cli",),
    ),
}
"""Rooms of each top folder, from the bottom up; an import may go to the same room or to a lower row, never to a
neighbour of the same row. The top folders themselves stand in the same order, from the bottom up. JOB is every module
of jobs/ that is not named."""

MAX_ENTRIES, MAX_FILE_LINES, MAX_FUNCTION_LINES = 15, 400, 80

OTHER_FOLDERS = ("benchmarks", "configs", "tests")
"""Top folders that are no rooms, but may not be crowded either."""

CROWDED = {
    "jobs": "a module is a command",
}
"""Folders with more entries than others, each with the reason; the folders in them are no exception."""

PERSONIFYING = (
    *("tell", "tells", "told", "asks", "asked", "nobody", "knows nothing", "says nothing", "minds"),
    *("never heard", "shrugs", "hangs on", "hang on", "leaves no word", "for ever", "believes"),
)
"""Words that make persons of files, networks and functions, or riddles of facts."""

SAME_NAME = {
    "__init__.py": "packages",
    "augment.py": "augmentation of recognition networks, and of quality models",
    "base.py": "what all stores share, and what all config sections share",
    "columns.py": "columns of samples, and of labels",
    "data.py": "the data of a training, and of a report",
    "evaluation.py": "the result of an evaluation, and its part of the report",
    "fusion.py": "the fusion, and its part of the report",
    "generate.py": "the job and its config section",
    "manifest.py": "the record of a run, and the functions that read and write it",
    "models.py": "the job and its config section",
    "operators.py": "operators of degradation, and those of the rendered benchmark",
    "pairs.py": "pairs of an evaluation, and of the rendered benchmark",
    "procedural.py": "the procedural generators, and the procedural face model",
    "prompts.py": "prompts of diffusion, and their part of the report",
    "rehearsal.py": "random weights in the store, and those of controlled diffusion",
    "renderer.py": "the renderer of heads, and that of face models",
    "run.py": "the job and the whole config",
    "score.py": "scores of the rendered benchmark, and the job",
    "small_clip.py": "the network and its player",
    "table.py": "architectures of cards, and trainable quality networks",
    "status.py": "the state of a run, and the job that shows it",
    "verify.py": "verification of a run, and the job that shows it",
}
"""File names that stand in several rooms, each with the one concept or the reason."""


def modules(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield every module of the five folders: path, top folder, room."""
    for top in ROOMS:
        for path in sorted((root / top).rglob("*.py")):
            parts = path.relative_to(root / top).parts
            room = parts[0] if len(parts) > 1 else path.stem
            yield path, top, _known_room(top, room)


def import_violations(root: Path) -> list[str]:
    """List imports that go up: between the top folders, and between the rooms of each."""
    order = list(ROOMS)
    found = []
    for path, top, room in modules(root):
        for line, name in _imports(path):
            parts = name.split(".")
            if parts[0] in ROOMS:
                found.append(f"{path}:{line} imports {name} under its bare name: import synfiqa.{name}")
            if parts[0] != "synfiqa" or len(parts) < 2 or parts[1] not in ROOMS:
                continue
            if order.index(parts[1]) > order.index(top):
                found.append(f"{path}:{line} imports {name}, which lies above {top}/")
            elif parts[1] == top and len(parts) > 2 and room != "__init__":
                other = _known_room(top, parts[2])
                if other != room and _row(top, other) >= _row(top, room):
                    found.append(f"{path}:{line} imports {name}: the room {room} lies below or beside {other}")
    return found


def folder_circle_violations(root: Path) -> list[str]:
    """List folders below one folder that import each other in a circle, at any depth."""
    edges: dict[Path, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for path, _, _ in modules(root):
        own = path.relative_to(root).parts
        for _, name in _imports(path):
            other = name.split(".")[1:]
            shared = next((i for i, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), 0)
            if (
                name.startswith("synfiqa.")
                and 0 < shared < len(own) - 1
                and (root / Path(*other[: shared + 1])).is_dir()
            ):
                edges[Path(*own[:shared])][own[shared]].add(other[shared])
    found = []
    for folder, graph in edges.items():
        reach = {child: _reachable(child, graph) for child in graph}
        circle = sorted(child for child in reach if child in reach[child])
        if circle:
            found.append(f"below {folder} these folders import each other in a circle: {', '.join(circle)}")
    return sorted(found)


def circle_violations(root: Path) -> list[str]:
    """List circles of imports at module level: none may need another one that is not loaded yet."""
    names = {_dotted(root, path): path for path, _, _ in modules(root)}
    edges: dict[str, set[str]] = defaultdict(set)
    for name, path in names.items():
        for _, imported in _imports(path, top_level=True):
            target = imported if imported in names else imported.rpartition(".")[0]
            if target in names and target != name:
                edges[name].add(target)
    reach = {name: _reachable(name, edges) for name in names}
    circles = {tuple(sorted(m for m in reach[name] if name in reach[m])) for name in names if name in reach[name]}
    return [f"these modules import each other in a circle: {', '.join(circle)}" for circle in sorted(circles)]


def crowd_violations(root: Path) -> list[str]:
    """List crowded folders, those of `CROWDED` excepted."""
    found = []
    for top in (*ROOMS, *OTHER_FOLDERS):
        for folder in sorted([root / top, *(root / top).rglob("*")]):
            if not folder.is_dir() or "__pycache__" in folder.parts or folder.relative_to(root).as_posix() in CROWDED:
                continue
            if (held := entries(folder)) > MAX_ENTRIES:
                found.append(f"{folder} has {held} entries, at most {MAX_ENTRIES} can be taken in at a glance")
    return found


def entries(folder: Path) -> int:
    """Return the number of files and folders in a folder, `__init__.py` not counted."""
    return sum(path.name not in ("__init__.py", "__pycache__") for path in folder.iterdir())


def size_violations(root: Path) -> list[str]:
    """List long files and long functions."""
    found = []
    for path, _, _ in modules(root):
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MAX_FILE_LINES:
            found.append(f"{path} has {lines} lines, more than {MAX_FILE_LINES}: split it by subject")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno} {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}")
    return found


def name_violations(root: Path) -> list[str]:
    """List file names that stand in several rooms without being one concept."""
    places: dict[str, set[Path]] = defaultdict(set)
    for path, _, _ in modules(root):
        places[path.name].add(path.parent)
    doubled = {name: where for name, where in places.items() if len(where) > 1 and name not in SAME_NAME}
    return [f"{name} stands in {', '.join(map(str, sorted(where)))}: rename one" for name, where in doubled.items()]


def word_violations(root: Path) -> list[str]:
    """List docstrings with personifying words."""
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, PERSONIFYING)) + r")\b", re.IGNORECASE)
    found = []
    for path, _, _ in modules(root):
        for line, docstring in _docstrings(ast.parse(path.read_text(encoding="utf-8"))):
            if match := pattern.search(docstring):
                found.append(f"{path}:{line} has {match[0]!r} in a docstring: write verb and object")
    return found


def unsafe_loading_violations(root: Path) -> list[str]:
    """List pickles and unsafe loaders; `flame_pickle.py` is the one restricted reader of arrays and plain state."""
    found = []
    for path, _, _ in modules(root):
        text = path.read_text(encoding="utf-8")
        pickles = path.name != "flame_pickle.py" and re.search(
            r"import (pickle|dill|cloudpickle)\b|\bUnpickler\b", text
        )
        if pickles or "yaml.load(" in text or "weights_only=False" in text:
            found.append(f"{path} loads data unsafely: use safetensors, weights_only and safe YAML")
    return found


def _known_room(top: str, name: str) -> str:
    known = {room for row in ROOMS[top] for room in row}
    return name if name in known or name == "__init__" or top != "jobs" else "JOB"


def _row(top: str, room: str) -> int:
    for number, row in enumerate(ROOMS[top]):
        if room in row:
            return number
    raise KeyError(f"the room {room} of {top}/ has no place in ROOMS: decide what it may import")


def _imports(path: Path, *, top_level: bool = False) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _dotted(root: Path, path: Path) -> str:
    return ".".join(("synfiqa", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")


def _reachable(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        for name in edges.get(todo.pop(), ()):
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield docstrings of modules, classes and functions, and the strings below constants and fields."""
    for node in ast.walk(tree):
        for statement in (
            getattr(node, "body", []) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) else []
        ):
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield statement.lineno, value.value
