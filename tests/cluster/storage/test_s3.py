"""S3 servers: rclone (credentials, no conditional writes) and moto (the opposite), each also behind a faulty proxy."""

import json
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from synfiqa.cluster.commits.shard_store import ShardStore
from synfiqa.cluster.storage import s3 as storage_s3
from synfiqa.cluster.storage.preflight import preflight
from synfiqa.cluster.storage.storage import SETTLE_S, Storage
from synfiqa.cluster.upkeep.garbage import collect_garbage
from synfiqa.schemas.errors import JobFailed, StorageRefused, StorageUnavailable, UserError
from tests.cluster import synthetic
from tests.stores.fault_proxy import Rule


@pytest.fixture(params=["rclone", "moto"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["faulty", "faulty_moto"])
def broken(request):
    """A server behind the proxy: (server, proxy)."""
    return request.getfixturevalue(request.param)


def run_in(server, bucket, budget=30.0):
    return Storage(server.url(server.make_bucket(bucket) + "/team/run"), budget)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(storage_s3, "PART_BYTES", 5 * 2**20)
    return random.Random(1).randbytes(11 * 2**20)


def test_objects_come_back_whole_and_keep_their_places(server, bucket):
    storage = run_in(server, bucket)
    assert (storage.list(), storage.entries(), storage.exists("run.json")) == ([], [], False)
    for path in ("commits/b", "commits/a", "commits/deep/c", "commits-old/d", "run.json", "a[1]*? +ü%20.bin"):
        storage.write(path, path.encode() * 1000)
    storage.write("samples/.tmp-1", b"half")
    storage.write("empty", b"")
    assert storage.list("commits") == ["commits/a", "commits/b", "commits/deep/c"]
    assert storage.entries() == ["a[1]*? +ü%20.bin", "commits", "commits-old", "empty", "run.json", "samples"]
    assert [entry.path for entry in storage.stat("samples")] == ["samples/.tmp-1"]
    assert storage.list("samples") == []
    assert storage.read("a[1]*? +ü%20.bin") == "a[1]*? +ü%20.bin".encode() * 1000
    assert (storage.read("empty"), storage.size("empty")) == (b"", 0)
    assert storage.read_range("commits/a", 9, 12) == b"commits/acom"
    assert storage.read_many(["run.json", "commits/a"]) == [b"run.json" * 1000, b"commits/a" * 1000]
    assert not storage.exists("commits")
    assert storage.size("run.json") == 8000
    storage.delete("run.json")
    storage.delete("run.json")
    with pytest.raises(FileNotFoundError, match=r"team/run/run\.json"):
        storage.read("run.json")
    with pytest.raises(FileNotFoundError):
        storage.read_many(["commits/a", "run.json"])


def test_a_bucket_may_be_the_run_folder_itself(server, bucket):
    storage = Storage(server.url(server.make_bucket(bucket)))
    storage.write("commits/a", b"1")
    assert (storage.list(), storage.entries()) == (["commits/a"], ["commits"])


def test_listings_longer_than_a_page_are_whole(server, bucket, monkeypatch):
    monkeypatch.setattr(storage_s3, "PAGE", 2)
    storage = run_in(server, bucket)
    names = [f"commits/{number}" for number in range(7)]
    for name in names:
        storage.write(name, b"x")
    assert storage.list() == names
    assert storage.entries() == ["commits"]


def test_entries_have_the_time_of_the_stores_clock(server, bucket):
    storage = run_in(server, bucket)
    before = storage.now()
    storage.write("a", b"123")
    after = storage.now()
    [entry] = storage.stat()
    assert entry.bytes == 3
    assert before <= entry.modified <= after
    assert abs(before - time.time()) < 10


def test_a_pickled_storage_holds_no_credentials(server, bucket):
    storage = run_in(server, bucket, budget=7)
    storage.write("a", b"x")
    data = pickle.dumps(storage)
    assert server.secret.encode() not in data
    assert server.key.encode() not in data
    again = pickle.loads(data)
    assert (again.read("a"), again.retry_budget_s) == (b"x", 7)


def test_one_request_for_a_read_a_write_and_a_look(faulty, bucket):
    server, proxy = faulty
    storage = run_in(server, bucket)
    proxy.requests.clear()
    storage.write("a", b"x")
    storage.read("a")
    storage.exists("a")
    storage.list()
    storage.delete("a")
    assert [method for method, _, _ in proxy.requests] == ["PUT", "GET", "HEAD", "GET", "DELETE"]


# --- create-if-absent -------------------------------------------------------------------------------------------------


def test_the_second_of_two_creates_loses(server, bucket):
    storage = run_in(server, bucket)
    assert storage.create("commits/a", b"first")
    assert not storage.create("commits/a", b"second")
    assert storage.read("commits/a") == b"first"


def test_a_conditional_store_lets_one_of_two_writers_win_without_a_check_before_the_put(moto, bucket, monkeypatch):
    storage = run_in(moto, bucket)
    monkeypatch.setattr(Storage, "_is_there", lambda *_: False)
    assert storage.create("commits/a", b"first")
    assert not storage.create("commits/a", b"second")
    assert storage.read("commits/a") == b"first"


def test_large_objects_are_created_once_too_and_a_loser_leaves_no_parts(moto, bucket, small_parts, monkeypatch):
    storage = run_in(moto, bucket)
    assert storage.create("models/a", small_parts)
    assert storage.read("models/a") == small_parts
    monkeypatch.setattr(Storage, "_is_there", lambda *_: False)
    assert not storage.create("models/a", small_parts[::-1])
    assert storage.read("models/a") == small_parts
    assert uploads(moto, bucket) == []


def test_the_probe_distinguishes_the_two_kinds_of_stores_and_is_removed(rclone, moto_server, bucket, monkeypatch):
    storage = run_in(rclone, bucket)
    assert not storage.enforces_create()
    assert preflight(storage).create_if_absent == "last writer wins"
    assert storage.stat() == []
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    storage = run_in(moto_server, bucket)
    assert storage.enforces_create()
    assert preflight(storage).create_if_absent == "enforced"
    assert storage.stat() == []


def test_without_conditional_writes_two_writers_of_one_shard_do_no_harm(rclone, bucket, monkeypatch):
    """Both check before either puts; the last commit remains, with complete data equal to the other's."""
    storage = run_in(rclone, bucket)
    monkeypatch.setattr(Storage, "_is_there", lambda *_: False)
    table = synthetic.samples(range(1), 1, 2)
    store = ShardStore(storage, "f" * 64)
    counts = {"planned": 3, "accepted": 3, "rejected": 0, "dead": 0, "reference": 1, "degraded": 2}
    first, second = (store.commit("samples", 0, table, counts) for _ in range(2))
    [standing] = store.committed("samples").values()
    assert standing == second
    assert first.file.path != second.file.path
    assert first.content_sha256 == second.content_sha256
    assert store.read(standing).equals(store.read(first))


def test_a_create_whose_answer_was_lost_recognises_its_own_object(broken, bucket):
    """The repeated request finds that the object exists."""
    server, proxy = broken
    storage = run_in(server, bucket)
    proxy.rules = [Rule("lost_answer", "PUT", times=1), Rule("lost_answer", "PUT", skip=1, times=2)]
    for number in range(3):
        assert storage.create(f"commits/{number}", f"mine {number}".encode())
    assert proxy.struck["lost_answer"] == 3
    assert not storage.create("commits/0", b"another")
    assert storage.read("commits/0") == b"mine 0"


# --- what the store refuses -------------------------------------------------------------------------------------------

REFUSALS = [
    (403, "AccessDenied", "access is denied .*let these credentials read, write, list and delete"),
    (400, "ExpiredToken", "the credentials have expired .*renew them and run the same command again"),
    (403, "InvalidAccessKeyId", "the access key does not exist"),
    (403, "SignatureDoesNotMatch", "the secret key does not match the access key"),
    (403, "RequestTimeTooSkewed", "this machine's clock is wrong"),
    (507, "XMinioStorageFull", "the store is full"),
]


@pytest.mark.parametrize(
    ("status", "code", "words"), REFUSALS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_permanent_error_is_raised_at_once_with_its_code(faulty, bucket, status, code, words):
    server, proxy = faulty
    storage = run_in(server, bucket, budget=300)
    storage.write("there", b"x")
    proxy.rules = [Rule("answer", status=status, code=code)]
    uses = {
        "read": lambda: storage.read("there"),
        "read_many": lambda: storage.read_many(["there"]),
        "write": lambda: storage.write("a", b"x"),
        "create": lambda: storage.create("a", b"x"),
        "exists": lambda: storage.exists("there"),
        "size": lambda: storage.size("there"),
        "delete": lambda: storage.delete("there"),
        "list": storage.list,
        "entries": storage.entries,
        "preflight": lambda: preflight(storage),
    }
    start = time.monotonic()
    for name, use in uses.items():
        with pytest.raises(StorageRefused, match=words) as info:
            use()
        assert f"({code})" in str(info.value) or f"({status})" in str(info.value), name
        assert f"s3://{bucket}/team/run" in str(info.value), name
        assert server.secret not in str(info.value)
    assert time.monotonic() - start < 5


def test_wrong_and_missing_credentials_have_different_messages(rclone, bucket, monkeypatch):
    storage = run_in(rclone, bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    with pytest.raises(StorageRefused, match="the secret key does not match the access key"):
        storage.exists("run.json")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "not-the-key")
    with pytest.raises(StorageRefused, match="the access key does not exist"):
        storage.exists("run.json")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageRefused, match=r"there are no credentials; .*AWS_ACCESS_KEY_ID"):
        storage.exists("run.json")


def test_a_missing_bucket_is_not_treated_as_an_empty_run(server, bucket):
    storage = Storage(server.url(f"{bucket}/run"))
    for use in (storage.list, storage.entries, lambda: storage.exists("run.json"), lambda: storage.read("run.json")):
        with pytest.raises(StorageRefused, match="the bucket does not exist"):
            use()


def test_credentials_in_the_url_are_refused_without_being_repeated():
    with pytest.raises(UserError, match="holds credentials; give them as AWS_ACCESS_KEY_ID") as info:
        Storage("s3://somekey:somesecret@bucket/run")
    assert "somesecret" not in str(info.value)


# --- what passes ------------------------------------------------------------------------------------------------------


def test_throttling_of_a_fifth_of_all_requests_loses_nothing(broken, bucket):
    server, proxy = broken
    storage = run_in(server, bucket)
    proxy.rate, proxy.faults = 0.2, ("slow_down",)
    for number in range(25):
        assert storage.create(f"commits/{number:02}", str(number).encode())
    paths = storage.list("commits")
    assert storage.read_many(paths) == [str(number).encode() for number in range(25)]
    assert proxy.struck["slow_down"] > 8


@pytest.mark.parametrize("fault", ["cut_download", "truncate", "unframed"])
def test_a_truncated_answer_is_read_again(broken, bucket, fault):
    server, proxy = broken
    storage = run_in(server, bucket)
    data = random.Random(2).randbytes(100_000)
    storage.write("a", data)
    for at in (0, 1, 70_000, 99_999):
        proxy.rules = [Rule(fault, "GET", times=1, at=at)]
        assert storage.read("a") == data
        proxy.rules = [Rule(fault, "GET", times=1, at=at)]
        assert storage.read_many(["a", "a"]) == [data, data]
    assert proxy.struck[fault] == 8


def test_a_truncated_listing_is_read_again(broken, bucket):
    server, proxy = broken
    storage = run_in(server, bucket)
    for number in range(5):
        storage.write(str(number), b"x")
    for fault in ("cut_download", "truncate"):
        for at in (0, 200, 700):
            proxy.rules = [Rule(fault, "GET", times=1, at=at)]
            assert storage.list() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("fault", ["stall", "stall_upload"])
def test_a_stalled_request_is_repeated(broken, bucket, fault, monkeypatch):
    server, proxy = broken
    storage = run_in(server, bucket)
    monkeypatch.setattr(storage_s3, "STALL_S", 0.4)
    storage.write("before", b"x" * 50_000)
    proxy.stall_s = 30
    proxy.rules = [Rule(fault, "PUT", times=1)]
    start = time.monotonic()
    storage.write("a", b"x" * 50_000)
    assert time.monotonic() - start < proxy.stall_s / 2, "the stall was not waited for"
    proxy.rules = [Rule("stall", times=1)]
    # Not "a": this server may detect the cut of the first upload late and then remove the object of the second one.
    # Commits are checked twice for that reason.
    assert storage.read("before") == b"x" * 50_000
    assert proxy.struck[fault] >= 1


def test_stalls_are_noticed_within_twenty_seconds_by_default():
    assert storage_s3.STALL_S <= 20


def test_an_outage_longer_than_the_budget_is_storage_unavailable(faulty, bucket):
    server, proxy = faulty
    storage = run_in(server, bucket, budget=0.5)
    proxy.rules = [Rule("slow_down")]
    with pytest.raises(StorageUnavailable, match=r"cannot list s3://.* answers SlowDown, for longer than 0.5 s; run"):
        storage.list()
    with pytest.raises(StorageUnavailable, match=r"cannot read s3://.*/run.json: .* 503"):
        storage.exists("run.json")


def test_a_store_that_cannot_be_reached_is_storage_unavailable(bucket, rclone, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        preflight(Storage(f"s3://{bucket}/run", 0.3))


def test_renewed_credentials_and_another_endpoint_are_used_at_once(rclone, moto_server, bucket, monkeypatch):
    """The file-system cache of the client library would have kept the old ones."""
    storage = run_in(rclone, bucket)
    storage.write("a", b"on rclone")
    moto_server.make_bucket(bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.endpoint)
    assert not storage.exists("a")


# --- uploads that end early -------------------------------------------------------------------------------------------


def uploads(server, bucket):
    return server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def test_an_object_that_a_server_removes_for_an_earlier_cut_upload_is_put_again(broken, bucket, monkeypatch):
    """rclone on a busy machine: one commit of twenty-three was gone a moment after it had been made."""
    server, proxy = broken
    storage = run_in(server, bucket)
    proxy.rules = [Rule("cut_upload", "PUT", times=3)]
    slept, sleep = [], time.sleep

    def remove_late(seconds):
        slept.append(seconds)
        sleep(seconds)
        if seconds == SETTLE_S and slept.count(SETTLE_S) == 1:
            storage.delete("a")

    monkeypatch.setattr("synfiqa.cluster.storage.storage.time.sleep", remove_late)
    assert storage.create("a", b"x" * 10_000)
    assert SETTLE_S in slept
    assert storage.read("a") == b"x" * 10_000


def test_a_hundred_cut_uploads_leave_no_short_shard(faulty, bucket):
    """Uploads of data and commits are cut at random offsets until the writer succeeds or gives up."""
    server, proxy = faulty
    storage, giving_up = run_in(server, bucket), run_in(server, bucket + "-2", budget=0)
    store, careless = ShardStore(storage, "f" * 64), ShardStore(giving_up, "f" * 64)
    table = synthetic.samples(range(1), 1, 2)
    counts = {"planned": 3, "accepted": 3, "rejected": 0, "dead": 0, "reference": 1, "degraded": 2}
    number = 0
    while proxy.struck["cut_upload"] < 100:
        proxy.rules = [Rule("cut_upload", "PUT", skip=number % 2, times=3)]
        store.commit("samples", number, table, counts)
        proxy.rules = [Rule("cut_upload", "PUT", skip=number % 3, times=2)]
        with suppress(JobFailed, UserError):
            careless.commit("samples", number, table, counts)
        number += 1
    proxy.rules = []
    for where, shards in ((bucket, store), (bucket + "-2", careless)):
        objects = server.objects(where, "team/run/")
        committed = [name for name in objects if "/commits/" in name]
        assert len(committed) == len(shards.committed("samples"))
        for name in committed:
            file = json.loads(objects[name])["file"]
            assert len(objects[f"team/run/{file['path']}"]) == file["bytes"], name
        for commit in shards.committed("samples").values():
            assert shards.read(commit).equals(table)
        collect_garbage(shards.storage, older_than_s=0)
        left = {name.removeprefix("team/run/") for name in server.objects(where, "team/run/")}
        kept = {commit.file.path for commit in shards.committed("samples").values()}
        assert {name for name in left if not name.startswith("commits/")} == kept, "gc leaves what is committed, only"
    assert len(store.committed("samples")) == number


def test_no_name_is_uploaded_twice_when_uploads_are_cut(faulty, bucket):
    """The HTTP client repeated a PUT on a kept connection by itself, under the same name."""
    server, proxy = faulty
    storage = run_in(server, bucket)
    storage.write("before", b"x")
    proxy.requests.clear()
    proxy.rules = [Rule("cut_upload", "PUT", times=2), Rule("lost_answer", "PUT", times=1)]
    name = storage.write_unique("samples/a.bin", b"x" * 10_000)
    names = [path.rpartition("/")[2] for method, path, _ in proxy.requests if method == "PUT"]
    assert len(set(names)) == len(names) == 4
    assert name == f"samples/{names[-1]}"
    assert storage.read(name) == b"x" * 10_000


def test_a_cut_upload_that_the_server_ends_after_the_commit_does_not_damage_what_is_committed(faulty, bucket):
    """rclone stores what had arrived of a cut upload, then removes the object: it was that of the repeated upload."""
    server, proxy = faulty
    store = ShardStore(run_in(server, bucket), "f" * 64)
    table = synthetic.samples(range(1), 1, 2)
    proxy.rules = [Rule("cut_upload", "PUT", path="/samples/", times=1, at=2000, lag_s=1.0)]
    commit = store.commit("samples", 0, table, {})
    ended = time.monotonic() + 3
    while time.monotonic() < ended:
        assert store.read(commit).equals(table)
        time.sleep(0.05)
    assert proxy.struck["cut_upload"] == 1


class Stop(BaseException):
    """Interrupt, as raised by Ctrl-C or the end of a job at any moment."""


def test_an_upload_that_is_interrupted_anywhere_leaves_no_object(broken, bucket):
    """The same interrupt in an fsspec `open(..., "wb")` block publishes what has been written so far."""
    server, proxy = broken
    storage = run_in(server, bucket)
    proxy.stall_s = 30

    def stop(*_):
        raise Stop

    old = signal.signal(signal.SIGALRM, stop)
    try:
        for offset in random.Random(4).sample(range(200_000), 8):
            proxy.rules = [Rule("stall_upload", "PUT", at=offset)]
            signal.setitimer(signal.ITIMER_REAL, 0.15)
            with pytest.raises(Stop):
                storage.write(f"samples/{offset}", b"x" * 200_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    proxy.rules = []
    # rclone lists an unfinished object until it detects the disconnected client, and then removes it
    deadline = time.monotonic() + 10
    while (left := server.names(bucket)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


@pytest.mark.parametrize(
    "error", [Stop(), MemoryError(), PermissionError(13, "denied")], ids=lambda e: type(e).__name__
)
def test_a_large_upload_that_fails_leaves_neither_object_nor_parts(moto, bucket, small_parts, monkeypatch, error):
    storage = run_in(moto, bucket)
    send, sent = storage_s3.S3Store._send, []

    def failing(self, method, data, **request):
        sent.append(method)
        if len(sent) == 2:
            raise error
        return send(self, method, data, **request)

    monkeypatch.setattr(storage_s3.S3Store, "_send", failing)
    with pytest.raises((type(error), StorageRefused)):
        storage.write("models/a", small_parts)
    assert moto.objects(bucket) == {}
    assert uploads(moto, bucket) == []


def test_a_large_upload_repeats_the_parts_that_fail_and_no_others(faulty, bucket, small_parts):
    server, proxy = faulty
    storage = run_in(server, bucket)
    proxy.rules = [Rule("slow_down", "PUT", path="partNumber=2", times=3), Rule("internal_error", "POST", times=1)]
    storage.write("models/a", small_parts)
    assert storage.read("models/a") == small_parts
    parts = [path.partition("partNumber=")[2][:1] for method, path, _ in proxy.requests if "partNumber" in path]
    assert parts == ["1", "2", "2", "2", "2", "3"]


def test_a_large_upload_whose_last_answer_was_lost_is_repeated_from_the_start(faulty_moto, bucket, small_parts):
    server, proxy = faulty_moto
    storage = run_in(server, bucket)
    proxy.rules = [Rule("lost_answer", "POST", path="uploadId", times=1)]
    assert storage.create("models/a", small_parts)
    assert storage.read("models/a") == small_parts
    assert uploads(server, bucket) == []


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_log_of_ours_and_no_error_shows_the_secret(faulty, bucket, caplog):
    server, proxy = faulty
    storage = run_in(server, bucket)
    with caplog.at_level(logging.INFO):
        proxy.rules = [Rule("slow_down", times=2)]
        storage.write("a", b"x")
        proxy.rules = [Rule("slow_down")]
        with pytest.raises(StorageUnavailable) as info:
            Storage(storage.url, 0).read("a")
    assert "SlowDown; trying again" in caplog.text
    shown = caplog.text + str(info.value) + repr(info.value) + repr(storage) + str(info.value.__cause__)
    assert server.secret not in shown
    assert server.key not in shown


def test_another_process_needs_only_the_environment(rclone, bucket):
    run_in(rclone, bucket).write("a", b"x")
    program = f"from synfiqa.cluster.storage.storage import Storage; print(Storage('s3://{bucket}/team/run').read('a'))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | rclone.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "b'x'\n"


@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_has_a_connection_of_its_own(rclone, bucket):
    """Ray's and other libraries' workers may be forks of a process that has talked to the store."""
    storage = run_in(rclone, bucket)
    storage.write("a", b"x")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if storage.read("a") == b"x" else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_only_parts_of_objects_are_not_compared_with_the_checksum_of_the_whole():
    """A server sends the checksum of the whole object with a part, which was then read again for 30 s and refused."""
    whole = {"headers": {}, "context": {"checksum": {"response_algorithms": ["crc32"]}}}
    part = {"headers": {"Range": "bytes=0-9"}, "context": {"checksum": {"response_algorithms": ["crc32"]}}}
    for params in (whole, part):
        storage_s3._no_checksum_of_a_part(params)
    assert whole["context"] == {"checksum": {"response_algorithms": ["crc32"]}}
    assert part["context"] == {"checksum": {}}
