import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from synfiqa.actors.model_store import fetch
from synfiqa.actors.model_store.cache import WrongDigest, locate
from synfiqa.actors.model_store.catalogue import Model
from synfiqa.actors.model_store.digest import weights_digest
from synfiqa.actors.model_store.fetch import download
from synfiqa.schemas.errors import StorageUnavailable, UserError
from tests.actors.model_store.cards import card
from tests.actors.model_store.web import Web, serve

CONTENT = bytes(range(256)) * 5
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ROOT = Path(__file__).parents[3]


@pytest.fixture
def memory():
    """A store in this process, empty."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


@pytest.fixture
def web():
    with serve(Web({"/w.pth": CONTENT})) as web:
        yield web


def remote(folder: Path, url: str, digest: str = DIGEST, *, offline: bool = False) -> Model:
    return Model(card(source=url, sha256=digest), url, cache=str(folder), offline=offline)


def left_of(folder: Path) -> set[str]:
    return {path.name for path in (folder / "weights").rglob("*") if path.is_file() and path.name != ".lock"}


def test_weights_come_from_any_store_once_and_are_verified(tmp_path, memory):
    memory.pipe_file("/zoo/w.pth", CONTENT)
    own = remote(tmp_path, "memory://zoo/w.pth")
    path = locate(own)
    assert path == tmp_path / "weights" / DIGEST / "w.pth"
    assert path.read_bytes() == CONTENT
    memory.store.clear()
    assert locate(own) == path


def test_an_offline_node_fetches_nothing_but_uses_what_was_fetched(tmp_path, memory):
    memory.pipe_file("/zoo/w.pth", CONTENT)
    own = remote(tmp_path, "memory://zoo/w.pth", offline=True)
    with pytest.raises(
        UserError, match=r"'mine' is not on this machine .* `synfiqa models fetch mine --catalogue FILE` on every no"
    ):
        locate(own)
    assert not tmp_path.joinpath("weights").exists()
    path = locate(own, fetch=True)
    assert locate(own) == path


def test_being_online_can_be_overruled(tmp_path, memory):
    memory.pipe_file("/zoo/w.pth", CONTENT)
    with pytest.raises(UserError, match="fetching is off"):
        locate(remote(tmp_path, "memory://zoo/w.pth"), fetch=False)


def test_a_folder_is_fetched_whole(tmp_path, memory):
    for name, text in {"config.json": b"{}", "sub/w.bin": CONTENT, ".gitattributes": b"x"}.items():
        memory.pipe_file(f"/zoo/blip/{name}", text)
    local = tmp_path / "here"
    (local / "sub").mkdir(parents=True)
    (local / "config.json").write_bytes(b"{}")
    (local / "sub/w.bin").write_bytes(CONTENT)
    path = locate(remote(tmp_path, "memory://zoo/blip", weights_digest(local)))
    assert path.name == "blip"
    assert (path / "sub/w.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", ["/zoo/blip/../../evil", "/zoo/blip/sub/../../../evil", "/zoo/blip//etc/evil"])
def test_a_folder_with_names_that_lead_out_of_it_is_refused(tmp_path, memory, wrong):
    memory.pipe_file("/zoo/blip/config.json", b"{}")
    memory.store[wrong] = memory.store["/zoo/blip/config.json"]
    with pytest.raises(UserError, match="which would lie outside of its folder"):
        locate(remote(tmp_path, "memory://zoo/blip"))
    assert left_of(tmp_path) == set()


@pytest.mark.parametrize("folder", [False, True])
def test_wrong_bytes_are_removed_and_never_seen_under_the_final_name(tmp_path, memory, folder):
    memory.pipe_file("/zoo/w.pth/a" if folder else "/zoo/w.pth", b"not what the card says")
    own = remote(tmp_path, "memory://zoo/w.pth")
    for _ in range(2):
        with pytest.raises(WrongDigest, match=r"^memory://zoo/w\.pth: the weights .* but the card says"):
            locate(own)
        assert left_of(tmp_path) == set()


def test_a_fetched_file_that_was_damaged_since_is_fetched_anew(tmp_path, memory):
    memory.pipe_file("/zoo/w.pth", CONTENT)
    own = remote(tmp_path, "memory://zoo/w.pth")
    path = locate(own)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(WrongDigest):
        locate(own, fetch=False)
    assert locate(own, fetch=True).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("memory://zoo/nowhere.pth", "there are no weights at memory://zoo/nowhere.pth: correct `source` on the card"),
        ("nonsense://zoo/w.pth", "nonsense://zoo/w.pth cannot be opened"),
    ],
)
def test_a_source_that_leads_nowhere_is_named(tmp_path, memory, url, sentence):
    with pytest.raises(UserError) as caught:
        locate(remote(tmp_path, url))
    assert sentence in str(caught.value)


def test_a_web_server_is_asked_block_by_block(tmp_path, web):
    download(web.url("/w.pth"), tmp_path / "w", block=500)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert web.asked == ["bytes=0-499", "bytes=500-999", "bytes=1000-1279"]


@pytest.mark.parametrize("have", [1, 500, 1279, 1280])
def test_an_interrupted_fetch_goes_on_where_it_stopped(tmp_path, web, have):
    (tmp_path / "w").write_bytes(CONTENT[:have])
    download(web.url("/w.pth"), tmp_path / "w", block=10_000)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert web.asked == [f"bytes={have}-1279"] * (have < 1280)
    assert web.sent >= 1280 - have


def test_a_rest_that_is_longer_than_the_file_is_thrown_away(tmp_path, web):
    (tmp_path / "w").write_bytes(b"x" * 2000)
    download(web.url("/w.pth"), tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == CONTENT


def test_the_store_resumes_what_a_killed_process_left(tmp_path, web):
    left = tmp_path / "weights" / DIGEST / "w.pth.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(CONTENT[:700])
    assert locate(remote(tmp_path, web.url("/w.pth"))).read_bytes() == CONTENT
    assert web.asked == ["bytes=700-1279"]
    assert left_of(tmp_path) == {"w.pth"}


def test_a_rest_of_something_else_costs_one_more_call(tmp_path, web):
    left = tmp_path / "weights" / DIGEST / "w.pth.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"y" * 700)
    own = remote(tmp_path, web.url("/w.pth"))
    with pytest.raises(WrongDigest):
        locate(own)
    assert locate(own).read_bytes() == CONTENT


def test_cut_connections_and_passing_errors_are_tried_again(tmp_path, web):
    web.cuts, web.status = [123, 7], [503]
    download(web.url("/w.pth"), tmp_path / "w", block=640)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert len(web.asked) == 2 + 3


@pytest.mark.parametrize("have", [0, 700])
def test_a_server_without_ranges_sends_everything_at_once(tmp_path, web, have):
    web.ranges = False
    (tmp_path / "w").write_bytes(CONTENT[:have])
    download(web.url("/w.pth"), tmp_path / "w", block=500)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert len(web.asked) == 1


def test_a_server_that_tells_no_sizes_is_read_to_the_end(tmp_path, web):
    web.sizes = False
    (tmp_path / "w").write_bytes(b"z" * 2000)
    download(web.url("/w.pth"), tmp_path / "w", block=500)
    assert (tmp_path / "w").read_bytes() == CONTENT
    assert web.asked == []


def test_an_outage_that_lasts_ends_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "BUDGET_S", 0.1)
    with serve(Web({})) as gone:
        url = gone.url("/w.pth")
    with pytest.raises(StorageUnavailable, match=rf"{url}: .*for longer than 0\.1 s"):
        locate(remote(tmp_path, url))


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusing_server_is_named_with_a_remedy_that_fits(tmp_path, web, status):
    web.status = [status] * 3
    with pytest.raises(UserError, match=r"w\.pth: .*: correct `source` on the card, or the credentials") as caught:
        locate(remote(tmp_path, web.url("/w.pth")))
    assert "run folder" not in str(caught.value)


def test_a_missing_page_is_named(tmp_path, web):
    with pytest.raises(UserError, match="there are no weights at http"):
        locate(remote(tmp_path, web.url("/other.pth")))


PAGE = b'<html><a href="/zoo/blob/w.pth/raw">raw</a> <a href="config.json">config.json</a></html>'


@pytest.mark.parametrize("sizes", [True, False])
@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"])
def test_a_page_about_a_file_is_neither_weights_nor_a_folder(tmp_path, web, sizes, kind):
    page = "/zoo/blob/w.pth"
    web.files |= {page: PAGE, f"{page}/raw": CONTENT, f"{page}/config.json": b"{}"}
    web.kinds[page], web.sizes = kind, sizes
    with pytest.raises(
        UserError, match=r"/zoo/blob/w\.pth is a web page \(.*\), no weights: name the link that download"
    ):
        locate(remote(tmp_path, web.url(page)))
    assert left_of(tmp_path) == set()
    assert web.asked == []


def test_a_folder_of_the_web_ends_in_a_slash(tmp_path, web):
    web.files |= {"/zoo/": PAGE.replace(b"/zoo/blob/w.pth/raw", b"/zoo/w.pth"), "/zoo/w.pth": CONTENT}
    web.files |= {"/zoo/config.json": b"{}", "/zoo": CONTENT[:100]}
    web.kinds["/zoo/"] = "text/html"
    download(web.url("/zoo/"), tmp_path / "folder")
    assert {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()} == {
        "w.pth": CONTENT,
        "config.json": b"{}",
    }
    for url in ("/zoo", "/zoo?list=/", "/zoo#/"):
        download(web.url(url), tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == CONTENT[:100]


def test_a_page_inside_of_a_folder_is_named(tmp_path, web):
    web.files |= {"/zoo/": PAGE, "/zoo/config.json": b"<html>log in</html>", "/zoo/blob/w.pth/raw": CONTENT}
    web.kinds |= {"/zoo/": "text/html", "/zoo/config.json": "text/html"}
    with pytest.raises(UserError, match=r"/zoo/config\.json is a web page"):
        download(web.url("/zoo/"), tmp_path / "folder")


def test_secrets_of_a_url_reach_neither_paths_nor_messages(tmp_path, web):
    url = web.url("/w.pth") + "?token=s3cret"
    path = locate(remote(tmp_path, url))
    assert path.name == "w.pth"
    with pytest.raises(UserError) as caught:
        locate(remote(tmp_path, url, "0" * 64))
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_named(memory):
    memory.pipe_file("/zoo/w.pth", CONTENT)
    with pytest.raises(
        UserError, match=r"w\.pth cannot be stored in /dev \(No space left on device\): make room there"
    ):
        download("memory://zoo/w.pth", Path("/dev/full"))


def test_two_processes_of_a_node_fetch_once(tmp_path, web):
    code = (
        "import pickle, sys\n"
        "from synfiqa.actors.model_store.cache import locate\n"
        "own = pickle.load(sys.stdin.buffer)\n"
        "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.buffer.readline()\n"
        "sys.stdout.write(str(locate(own)))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        process.stdin.write(pickle.dumps(remote(tmp_path, web.url("/w.pth"))))
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
    for process in both:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].decode() for process in both]
    assert told == [str(tmp_path / "weights" / DIGEST / "w.pth")] * 2
    assert web.asked == ["bytes=0-1279"]
