"""Processes: a reused pid is another process."""

import os
import subprocess

import pytest

from synfiqa.cluster.run.process_identity import born, machine, process_state

pytestmark = pytest.mark.skipif(not machine(), reason="this system has no process identity")


def test_a_start_time_is_constant_and_grows_with_later_processes():
    assert process_state(os.getpid())[0] == "R"
    assert born(os.getpid()) == born(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            # Imports of a test run take longer than the kernel's tick of 10 ms.
            assert int(born(process.pid)) > int(born(os.getpid()))
        finally:
            process.kill()


def test_a_process_name_that_looks_like_fields_is_parsed(tmp_path):
    program = tmp_path / "a) R 1 ("
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        try:
            assert process_state(process.pid)[0] in "RSD"
            assert int(born(process.pid)) > 0
        finally:
            process.kill()


def test_a_process_that_is_gone_has_no_state_and_no_start_time():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert process_state(process.pid) == ("", "")
