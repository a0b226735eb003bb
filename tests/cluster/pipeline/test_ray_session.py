"""SIGTERM ends a block as Terminated, whatever a library makes of the exception on the way."""

import os
import signal

import pytest

from synfiqa.cluster.pipeline.ray_session import Terminated, terminate_like_interrupt
from synfiqa.jobs.command import run_command


def terminated_under_ray():
    """Receive SIGTERM where Ray waits for a result: it raises a KeyboardInterrupt of its own."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Terminated:
        raise KeyboardInterrupt from None


def test_sigterm_during_a_wait_of_ray_is_no_ctrl_c():
    """`synfiqa train` ended with 130 after SIGTERM, where 143 is documented."""
    assert run_command(terminated_under_ray) == 143


def test_an_inner_block_ends_as_terminated_too():
    with pytest.raises(Terminated), terminate_like_interrupt(), terminate_like_interrupt():
        terminated_under_ray()


def test_ctrl_c_stays_ctrl_c():
    with pytest.raises(KeyboardInterrupt) as error, terminate_like_interrupt():
        raise KeyboardInterrupt
    assert not isinstance(error.value, Terminated)
