"""A plug-in that cannot be used is refused at start, with package, row and remedy."""

import pytest

from synfiqa.actors.model_store.resolved_run import resolve, try_plugins
from synfiqa.jobs.config import parse_config
from synfiqa.schemas.errors import UserError
from tests.documented.extending.page import blocks

CODE = blocks()["dust/synfiqa_dust.py"]
FACTOR = {"generate": {"factors": {"dust": {"rate": 0.5, "interval": [20, 400]}}}}
SCORER = {"models": {"scorers": ["contrast"]}}
EVALUATED = {"evaluate": {"scorers": ["model", "contrast"]}}
EMBEDDER = {"models": {"more_embedders": ["fields"]}}


def refusal(tree: dict) -> str:
    """Return the sentence with which a config is refused before any actor starts."""
    with pytest.raises(UserError) as error:
        try_plugins(resolve(parse_config(tree, "test.yaml")))
    return str(error.value)


def test_what_no_config_names_changes_nothing(declare):
    plain = resolve(parse_config({}, "test.yaml"))
    declare("broken", "raise RuntimeError('never imported')", factors="dust = broken:DUST")
    assert resolve(parse_config({}, "test.yaml")).libraries == plain.libraries


def test_a_name_that_no_package_declares(declare):
    assert "'dust', which no installed package declares as synfiqa.factors (installed: none)" in refusal(FACTOR)
    assert "models.scorers" not in refusal(EVALUATED)
    assert "there is no scorer 'contrast'" in refusal(EVALUATED)


def test_a_module_that_fails_at_its_import(declare):
    declare("broken", "raise RuntimeError('no licence')", factors="dust = broken:DUST", scorers="contrast = broken:C")
    for tree in (FACTOR, SCORER, EVALUATED):
        said = refusal(tree)
        assert "of broken 1.0" in said
        assert "cannot be imported (RuntimeError: no licence): correct or reinstall broken" in said


def test_an_entry_point_of_another_type(declare):
    declare("other", "DUST = 3", factors="dust = other:DUST")
    assert "is a int, not a FactorPlugin: correct the entry point in the group synfiqa.factors of other" in refusal(
        FACTOR
    )


def test_two_packages_that_declare_one_name(declare):
    declare("first", CODE, factors="dust = first:DUST", scorers="contrast = first:CONTRAST")
    declare("second", CODE, factors="dust = second:DUST", scorers="contrast = second:CONTRAST")
    for tree in (FACTOR, SCORER, EVALUATED):
        said = refusal(tree)
        assert "first 1.0" in said
        assert "second 1.0" in said
        assert "uninstall one of the packages" in said


@pytest.mark.parametrize("name", ["sharpness", "bundled-quality"])
def test_a_scorer_with_the_name_of_one_of_synfiqa(declare, name):
    declare("third", CODE, scorers=f"{name} = third:CONTRAST")
    assert "uninstall the package" in refusal({"evaluate": {"scorers": ["model", name]}})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('field="plugins.dust"', 'field="plugins.sand"', "its row has the field plugins.sand, not plugins.dust"),
        ("neutral=0.0", "neutral=-1.0", "factor row plugins.dust: the neutral value -1.0 lies outside of its range"),
        ('where="crop"', 'where="render"', "must act on the crop and have a range"),
        ("range=(0, 400)", "range=None", "must act on the crop and have a range"),
        ("    dusty,\n", "    None,\n", "the row plugins.dust has no operator"),
        ('("factor_dust",)', '("blur",)', "the severity dust reads blur"),
        ('Severity("dust"', 'Severity("blur"', "severity blur is used 2 times"),
        ("return image\n", "return image[:50]\n", "must return uint8 (112, 112, 3)"),
        ("rng.integers(0", "np.random.default_rng().integers(0", "gives different pixels for equal random generators"),
        ("image = image.copy()", "raise OSError('lens')", "fails at 400 (OSError: lens)"),
    ],
)
def test_a_row_that_cannot_be_used(declare, old, new, said):
    assert old in CODE
    declare("synfiqa_dust", CODE.replace(old, new), factors="dust = synfiqa_dust:DUST")
    message = refusal(FACTOR)
    assert said in message
    assert "synfiqa_dust 1.0" in message


def test_a_draw_beyond_the_range_of_its_row(declare):
    declare("synfiqa_dust", CODE, factors="dust = synfiqa_dust:DUST")
    wide = {"generate": {"factors": {"dust": {"rate": 0.5, "interval": [20, 500]}}}}
    assert "generate.factors.dust.interval: [20.0, 500.0] is not within 0 to 400" in refusal(wide)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (", higher_is_better=True", "", "its card does not state higher_is_better"),
        ('name="contrast"', 'name="other"', "its card must have the name contrast"),
        (".std(axis=1)", ".std()", "returned () for 2 images, not one number an image"),
        (".std(axis=1)", ".std(axis=1) * np.nan", "returned NaN, infinity or float64"),
        ("return images.reshape", "raise OSError('lens')\n        return images.reshape", "fails (OSError: lens)"),
        ('"source": "built-in"', '"source": "/tmp/w", "sha256": 64 * "a"', "must be built-in or package:NAME/FILE"),
    ],
)
@pytest.mark.parametrize("tree", [SCORER, EVALUATED], ids=["columns", "evaluation"])
def test_a_scorer_that_cannot_be_used(declare, tree, old, new, said):
    assert old in CODE
    code = CODE.replace(old, new, 1).replace('value_range": None', 'value_range": (0, 1)')
    declare("synfiqa_dust", code, scorers="contrast = synfiqa_dust:CONTRAST")
    message = refusal(tree)
    assert said in message
    assert "synfiqa_dust 1.0" in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("(centred / np.linalg.norm(centred, axis=1, keepdims=True))", "centred", "not two vectors of length 1"),
        ("return (centred", "return np.nan * (centred", "returned NaN, infinity or float32"),
    ],
)
def test_an_embedder_that_cannot_be_used(declare, old, new, said):
    assert old in CODE
    declare("synfiqa_dust", CODE.replace(old, new), embedders="fields = synfiqa_dust:FIELDS")
    assert said in refusal(EMBEDDER)


def test_a_scorer_as_column_must_depend_on_the_image_alone():
    for name in ("model", "label", "random"):
        assert f"models.scorers: '{name}' depends on more than the image" in refusal({"models": {"scorers": [name]}})
