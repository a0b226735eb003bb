"""The status job: for people, as JSON, and without the libraries that only work needs."""

import json
import subprocess
import sys

from cluster.lease import hold
from jobs.status import run_status
from tests.cluster.finished_run import finished_run


def test_lines_for_people(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    run_status(storage)
    out = capsys.readouterr().out
    assert "state       finished" in out
    assert "driver      no driver" in out
    assert "8 planned = 6 accepted + 2 rejected (2 glasses) + 0 dead" in out
    assert "samples     84 of 84 (100 %): 84 accepted (12 references), 0 dead" in out
    assert "shards      3 of 3 (100 %)" in out


def test_one_json_document(tmp_path, capsys):
    storage, _, _ = finished_run(tmp_path)
    with hold(storage, 60):
        run_status(storage, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["shards"] == {"planned": 3, "done": 3}
    assert document["driver"]["held"]
    assert document["candidates"]["rejected"] == {"glasses": 2}


def test_it_starts_without_ray_and_torch(tmp_path):
    """Importing them takes seconds, which `watch synfiqa status RUN` would pay every time."""
    finished_run(tmp_path)
    program = (
        "import sys; from jobs.cli import run_command, build_parser\n"
        "options = build_parser().parse_args(sys.argv[1:])\n"
        "code = run_command(lambda: options.job(options))\n"
        "heavy = {'ray', 'torch', 'scipy', 'matplotlib', 'cv2'} & {name.partition('.')[0] for name in sys.modules}\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n"
    )
    for job in ("status", "verify"):
        result = subprocess.run(
            [sys.executable, "-c", program, job, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
