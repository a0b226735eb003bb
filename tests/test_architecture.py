"""The house keeps its rules: imports go down, rooms stay small, words stay plain. Each rule is shown a violation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture_rules as rules

ROOT = Path(__file__).parents[1]

RULES: list[Callable[[Path], list[str]]] = [
    rules.import_violations,
    rules.circle_violations,
    rules.folder_circle_violations,
    rules.crowd_violations,
    rules.size_violations,
    rules.name_violations,
    rules.word_violations,
    rules.unsafe_loading_violations,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_tree_keeps_the_rule(rule):
    assert rule(ROOT) == []


@pytest.fixture
def scratch(tmp_path):
    """Return a function that writes a small source tree without violations, and one file of its own."""

    def write(path: str = "schemas/recipe.py", text: str = '"""A recipe."""\n') -> Path:
        for top in rules.ROOMS:
            (tmp_path / top).mkdir(exist_ok=True)
            (tmp_path / top / "__init__.py").write_text(f'"""The folder {top}."""\n')
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write


def test_a_tree_without_violations_passes(scratch):
    root = scratch("actors/stages/annotator.py", "from synfiqa.actors.imaging.codec import decode\n")
    assert [found for rule in RULES for found in rule(root)] == []


@pytest.mark.parametrize(
    ("path", "text", "part"),
    [
        ("schemas/rows.py", "from synfiqa.cluster.storage.base import Store\n", "above schemas/"),
        ("actors/imaging/codec.py", "from synfiqa.actors.stages.annotator import X\n", "imaging lies below"),
        (
            "actors/generation/recipes.py",
            "def f():\n    from synfiqa.actors.quality.factories import X\n",
            "lies below or beside",
        ),
        ("cluster/commits/merkle.py", "from schemas.rows import SAMPLES\n", "under its bare name"),
        ("jobs/command.py", "from synfiqa.jobs.cli import main\n", "command lies below"),
        ("jobs/generate.py", "from synfiqa.jobs.cli import main\n", "JOB lies below"),
    ],
)
def test_an_import_upwards_is_found(scratch, path, text, part):
    (found,) = rules.import_violations(scratch(path, text))
    assert part in found


def test_a_room_without_a_place_is_found(scratch):
    root = scratch("actors/cellar/wine.py", "from synfiqa.actors.imaging.codec import decode\n")
    with pytest.raises(KeyError, match="cellar"):
        rules.import_violations(root)


def test_a_circle_is_found(scratch):
    scratch("actors/imaging/codec.py", "from synfiqa.actors.imaging.alignment import align\n")
    root = scratch("actors/imaging/alignment.py", "from synfiqa.actors.imaging import codec\n")
    (found,) = rules.circle_violations(root)
    assert "synfiqa.actors.imaging.alignment, synfiqa.actors.imaging.codec" in found


def test_folders_that_import_each_other_are_found(scratch):
    """No module is in a circle here, but nobody could say which folder comes first."""
    scratch("actors/face3d/shape/head.py", "from synfiqa.actors.face3d.wear.hat import HAT\n")
    scratch("actors/face3d/wear/hair.py", "from synfiqa.actors.face3d.shape.mesh import Mesh\n")
    root = scratch("actors/face3d/shape/mesh.py")
    assert rules.circle_violations(root) == []
    assert rules.folder_circle_violations(root) == [
        "below actors/face3d these folders import each other in a circle: shape, wear"
    ]


@pytest.mark.parametrize("folder", ["actors/nets", "tests", "tests/jobs", "benchmarks/speed/peers", "configs/models"])
def test_a_crowded_folder_is_found(scratch, folder):
    for number in range(rules.MAX_ENTRIES):
        root = scratch(f"{folder}/entry_{number}.py")
    scratch(f"{folder}/__init__.py")
    assert rules.crowd_violations(root) == []
    (found,) = rules.crowd_violations(scratch(f"{folder}/one_more.yaml"))
    assert found.startswith(f"{root / folder} has 16 entries")


def test_a_long_file_and_a_long_function_are_found(scratch):
    scratch("cluster/run/manifest.py", "x = 1\n" * (rules.MAX_FILE_LINES + 1))
    root = scratch("schemas/rows.py", "def long():\n" + "    x = 1\n" * rules.MAX_FUNCTION_LINES)
    long_function, long_file = rules.size_violations(root)
    assert "has 401 lines" in long_file
    assert "long has 81 lines" in long_function


@pytest.mark.parametrize("folder", rules.CROWDED)
def test_a_folder_of_commands_may_hold_more(scratch, folder):
    for number in range(rules.MAX_ENTRIES + 5):
        root = scratch(f"{folder}/command_{number}.py")
    assert rules.crowd_violations(root) == []


def test_every_exception_is_still_one():
    """A folder that has become small needs no exception."""
    assert [folder for folder in rules.CROWDED if rules.entries(ROOT / folder) <= rules.MAX_ENTRIES] == []


def test_a_file_name_in_two_rooms_is_found(scratch):
    scratch("cluster/run/network.py")
    (found,) = rules.name_violations(scratch("actors/model_store/network.py"))
    assert found.startswith("network.py stands in")


@pytest.mark.parametrize(
    "text",
    [
        '"""A file that nobody opens."""\n',
        'class Store:\n    """Tells what it holds."""\n',
        'def read():\n    """Return what the store was told."""\n',
        'LIMIT = 1\n"""What a run is asked for."""\n',
    ],
)
def test_a_personifying_word_is_found(scratch, text):
    (found,) = rules.word_violations(scratch("cluster/storage/base.py", text))
    assert "write verb and object" in found


@pytest.mark.parametrize("text", ["import pickle\n", "yaml.load(text)\n", "torch.load(path, weights_only=False)\n"])
def test_unsafe_loading_is_found(scratch, text):
    (found,) = rules.unsafe_loading_violations(scratch("actors/model_store/state.py", text))
    assert "unsafely" in found
