"""Generations: data of different fingerprints are never mixed."""

from synfiqa.cluster.run.generations import current, following, number_of
from synfiqa.cluster.storage.storage import Storage


def test_a_run_is_its_root_until_a_later_generation_has_a_run_json(tmp_path):
    url = str(tmp_path / "run")
    assert current(url).url == url
    second = following(current(url))
    second.write("commits/shard-000000.json", b"{}")
    assert current(url).url == url, "a generation without run.json does not exist"
    second.write("run.json", b"{}")
    assert current(url).url == f"{url}/generation-000002"
    assert number_of(current(url)) == 2
    following(current(url)).write("run.json", b"{}")
    assert number_of(current(url)) == 3
    assert number_of(Storage(url)) == 1


def test_generations_live_on_object_stores_too():
    url = "memory://generations/run"
    following(current(url)).write("run.json", b"{}")
    assert current(url).url == f"{url}/generation-000002"
