"""`synfiqa models ...`: what it prints, and how it ends: 0, 1 for a card that is not true, 2 for wrong usage."""

import re

import fsspec
import pytest
import yaml

from synfiqa.actors.model_store.catalogue import bundled
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.jobs.cli import main
from synfiqa.jobs.terminal.model_tables import run_check
from synfiqa.schemas.errors import JobFailed
from synfiqa.schemas.model_card import BUILT_IN, ModelCard
from tests.actors.model_store.cards import SMALL, catalogue, catalogue_file, weights


@pytest.fixture
def synfiqa(capsys, monkeypatch, tmp_path):
    """Calls `synfiqa models ...` and returns exit code, standard output and standard error."""
    monkeypatch.setenv("SYNFIQA_CACHE", str(tmp_path / "cache"))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["models", *map(str, arguments)])
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def memory():
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def own(folder, **changes) -> dict:
    path, digest = weights(folder)
    return SMALL | {"source": path.name, "sha256": digest} | changes


def row_of(table: str, name: str) -> list[str]:
    (row,) = [line for line in table.splitlines() if line.startswith(f"{name} ")]
    return re.split(r" {2,}", row.strip())


def test_list_shows_the_bundled_models_without_a_catalogue(synfiqa):
    code, out, err = synfiqa("list")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split("  ")[0] == "name"
    assert {line.split()[0] for line in out.splitlines()[1:]} == bundled().keys()
    assert row_of(out, "bundled-a") == ["bundled-a", "embedder", "small-iresnet", "yes", "Apache-2.0", "yes"]
    assert row_of(out, "line-glasses")[3] == "code"


def test_list_tells_where_weights_are_and_what_they_may_be_used_for(synfiqa, tmp_path, memory):
    good = own(tmp_path)
    path = catalogue_file(
        tmp_path,
        here=good | {"commercial_use": False, "licence": "CC BY-NC 4.0"},
        altered=good | {"sha256": "0" * 64},
        missing=good | {"source": "digest/nowhere.pth"},
        remote=good | {"source": "memory://zoo/w.safetensors"},
        rehearsed=SMALL,
    )
    code, out, _ = synfiqa("list", path)
    assert code == 0
    assert row_of(out, "here")[3:] == ["yes", "CC BY-NC 4.0", "no"]
    presence = {name: row_of(out, name)[3] for name in ("altered", "missing", "remote", "rehearsed")}
    assert presence == {"altered": "wrong digest", "missing": "no", "remote": "no", "rehearsed": "random"}


def test_check_ends_well_when_all_cards_tell_the_truth(synfiqa, tmp_path):
    path = catalogue_file(tmp_path, mine=own(tmp_path), rehearsed=SMALL)
    code, out, err = synfiqa("check", path)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ok   mine: no canary recorded: the input contract is as its card says, unproven",
        "ok   rehearsed: no canary recorded: the input contract is as its card says, unproven",
        "2 models agree with their cards",
    ]


def test_check_looks_at_the_bundled_models_without_a_catalogue(synfiqa):
    code, out, _ = synfiqa("check", "--name", "bundled-a", "--name", "line-glasses")
    assert code == 0
    assert out.splitlines()[1:] == ["ok   line-glasses: code without weights", "2 models agree with their cards"]


def test_check_ends_with_1_and_names_every_card_that_fails(synfiqa, tmp_path):
    good = own(tmp_path)
    path = catalogue_file(tmp_path, good=good, altered=good | {"sha256": "0" * 64}, wide=good | {"arguments": {}})
    code, out, err = synfiqa("check", path)
    assert code == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["ok   good", "FAIL altered", "FAIL wide"]
    assert "have digest" in out
    assert "keys are missing" in out
    assert err == "synfiqa: 2 of 3 models failed their check: altered, wide\n"


def test_check_records_the_canary_line_of_a_card_and_then_holds_it_to_it(synfiqa, tmp_path):
    good = own(tmp_path)
    code, out, _ = synfiqa("check", catalogue_file(tmp_path, mine=good), "--record")
    assert code == 0
    line = out.splitlines()[1].strip()
    recorded = yaml.safe_load(line)
    assert len(recorded["canary"]) == 8
    assert re.search(r"\]  # inputs [0-9a-f]{12}$", line)
    code, out, _ = synfiqa("check", catalogue_file(tmp_path, mine=good | recorded))
    assert (code, out.splitlines()[0]) == (0, "ok   mine")
    other = own(tmp_path / "other")
    path, digest = weights(tmp_path, "other.safetensors", seed=9)
    changed = other | recorded | {"source": path.name, "sha256": digest}
    code, out, _ = synfiqa("check", catalogue_file(tmp_path, mine=changed))
    assert code == 1
    assert "FAIL mine: its answer to the canary is not the one on the card" in out


def test_check_fetches_only_when_asked_to(synfiqa, tmp_path, memory):
    good = own(tmp_path)
    memory.pipe_file("/zoo/w.safetensors", (tmp_path / "w.safetensors").read_bytes())
    path = catalogue_file(tmp_path, mine=good | {"source": "memory://zoo/w.safetensors"})
    code, out, _ = synfiqa("check", path)
    assert code == 1
    assert "`synfiqa models fetch mine --catalogue FILE` on every node" in out
    assert synfiqa("check", path, "--fetch")[0] == 0
    assert synfiqa("check", path)[0] == 0


def test_fetch_brings_weights_into_the_cache(synfiqa, tmp_path, memory):
    good = own(tmp_path)
    memory.pipe_file("/zoo/w.safetensors", (tmp_path / "w.safetensors").read_bytes())
    path = catalogue_file(tmp_path, mine=good | {"source": "memory://zoo/w.safetensors"}, near=good)
    code, out, _ = synfiqa("fetch", "mine", "--catalogue", path, "--cache", tmp_path / "node")
    assert code == 0
    place = tmp_path / "node" / "weights" / good["sha256"] / "w.safetensors"
    assert out == f"mine: {place}\n"
    assert weights_digest(place) == good["sha256"]
    code, out, _ = synfiqa("fetch", "--catalogue", path)
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == ["mine", "near"]


def test_fetch_of_code_has_nothing_to_bring(synfiqa):
    assert synfiqa("fetch", "line-glasses")[:2] == (0, "line-glasses: code without weights\n")


def test_fetch_refuses_wrong_bytes(synfiqa, tmp_path, memory):
    memory.pipe_file("/zoo/w.safetensors", b"something else")
    path = catalogue_file(tmp_path, mine=own(tmp_path, source="memory://zoo/w.safetensors"))
    code, _, err = synfiqa("fetch", "--catalogue", path)
    assert code == 2
    assert "but the card says" in err


def test_card_prints_what_can_be_put_into_a_catalogue(synfiqa, tmp_path):
    fields = own(tmp_path, source="https://user:s3cret@example.org/w.safetensors?token=s3cret")
    path = catalogue_file(tmp_path, mine=fields)
    code, out, _ = synfiqa("card", "mine", "--catalogue", path)
    assert code == 0
    assert "s3cret" not in out
    printed = yaml.safe_load(out)
    assert printed["source"] == "https://example.org/w.safetensors"
    assert ModelCard(**printed).model_copy(update={"source": fields["source"]}) == ModelCard(name="mine", **fields)
    assert catalogue(tmp_path, mine=printed).model("mine").card.licence == "MIT"


@pytest.mark.parametrize("name", sorted(bundled()))
def test_card_prints_bundled_models_with_the_place_of_their_weights(synfiqa, name):
    code, out, _ = synfiqa("card", name)
    printed = yaml.safe_load(out)
    assert code == 0
    assert printed["source"] == bundled()[name].origin
    assert (printed["source"] == BUILT_IN) == ("sha256" not in printed)


def test_digest_prints_what_a_card_states(synfiqa, tmp_path):
    path, digest = weights(tmp_path / "folder")
    assert synfiqa("digest", path) == (0, f"{digest}\n", "")
    assert synfiqa("digest", path.parent) == (0, f"{weights_digest(path.parent)}\n", "")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_there_is_no_digest_of_nothing(synfiqa, tmp_path, make):
    make(tmp_path / "w")
    code, out, err = synfiqa("digest", tmp_path / "w")
    assert (code, out) == (2, "")
    assert "cannot be read (no such file, or a folder without files): name a weights file or folder" in err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["card"],
        ["card", "nonesuch"],
        ["card", "bundled-a", "bundled-b"],
        ["digest"],
        ["fetch", "nonesuch"],
        ["check", "--name", "nonesuch"],
        ["check", "nowhere.yaml"],
        ["check", "a.yaml", "--catalogue", "b.yaml"],
        ["list", "nowhere.yaml"],
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(synfiqa, arguments):
    code, out, err = synfiqa(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err


def test_a_wrong_catalogue_ends_with_2_and_names_the_card(synfiqa, tmp_path):
    path = catalogue_file(tmp_path, mine=SMALL | {"licence": "?"})
    for action in ("list", "check"):
        code, _, err = synfiqa(action, path)
        assert code == 2
        assert err.startswith(f"synfiqa: {path}, model 'mine': licence: name the licence")


def test_a_catalogue_of_nothing_is_checked_in_no_time(synfiqa, tmp_path):
    assert synfiqa("check", catalogue_file(tmp_path))[:2] == (0, "0 models agree with their cards\n")


def test_a_failed_check_is_a_failed_job(tmp_path, capsys):
    models = catalogue(tmp_path, mine=own(tmp_path, sha256="0" * 64))
    with pytest.raises(JobFailed, match="1 of 1 models failed their check: mine"):
        run_check(models.own())
    assert "FAIL mine" in capsys.readouterr().out
