"""Slurm with two nodes on this machine, from Debian's packages slurm-wlm and munge: no cgroups, ports of its own."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from tests.cluster.ray_cluster.free_ports import free_port

DAEMONS = ("munged", "slurmctld", "slurmd")
START_S, END_S = 60.0, 20.0
PORTS_OF_A_JOB = 100
NODES = ("127.0.0.1", "127.0.0.2")
"""Names that resolve without a change of /etc/hosts; slurmd takes no two of one host."""
SETTINGS = """
ClusterName=rehearsal
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
FirstJobId={first_job}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=30
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{nodes}
PartitionName=spot Nodes=ALL Default=YES PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""


class TwoSlurmd:
    """A Slurm of two nodes with a partition `spot`, whose jobs those of the partition `urgent` preempt."""

    def __init__(self, folder: Path, nodes: tuple[str, str], base: int) -> None:
        self.folder = folder
        self.nodes = nodes
        self.base = base
        """First of the ports of the first job, which the script derives from its number."""
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def run(self, *command: str, **environment: str) -> str:
        """Run a command of Slurm and return what it prints."""
        done = subprocess.run(
            command,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """Return the fields of a job, such as JobState and Restarts."""
        words = self.run("scontrol", "--oneliner", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)


def missing() -> str:
    """Return why there can be no Slurm here, or nothing."""
    absent = [name for name in DAEMONS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed (apt-get install slurm-wlm munge)"
    return "" if os.geteuid() == 0 else "slurmd needs root"


@contextmanager
def two_slurmd() -> Iterator[TwoSlurmd]:
    """Yield a running Slurm; its daemons, and what jobs have left behind, end with the block."""
    folder, nodes = Path(tempfile.mkdtemp(prefix="slurm-")), NODES
    # munged refuses a socket that not all can reach.
    folder.chmod(0o755)
    first_job, base = _free_job()
    for name in ("state", *(f"spool-{node}" for node in nodes)):
        (folder / name).mkdir()
    lines = (f"NodeName={node} NodeAddr={node} Port={free_port()} CPUs=2 RealMemory=65536" for node in nodes)
    settings = {"folder": folder, "host": socket.gethostname(), "controller_port": free_port(), "first_job": first_job}
    (folder / "slurm.conf").write_text(SETTINGS.format(nodes="\n".join(lines), **settings))
    (folder / "munge.key").write_bytes(random.randbytes(128))
    (folder / "munge.key").chmod(0o600)
    slurm = TwoSlurmd(folder, nodes, base)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        _daemon(stack, slurm, "munged", "--foreground", "--num-threads=10", *_munge_files(folder))
        _until("munged listens", (folder / "munge.socket").exists)
        _daemon(stack, slurm, "slurmctld", "-D", "-f", str(folder / "slurm.conf"))
        for node in nodes:
            _daemon(stack, slurm, "slurmd", "-D", "-N", node, "-f", str(folder / "slurm.conf"))
        _until("both nodes are idle", lambda: _idle(slurm))
        yield slurm


def _munge_files(folder: Path) -> list[str]:
    names = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid"}
    names |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    return [f"--{option}={folder / name}" for option, name in names.items()]


def _idle(slurm: TwoSlurmd) -> bool:
    with suppress(AssertionError):
        return slurm.run("sinfo", "--noheader", "-N", "-p", "spot", "-o", "%T").split() == ["idle", "idle"]
    return False


def _daemon(stack: ExitStack, slurm: TwoSlurmd, name: str, *options: str) -> None:
    log = stack.enter_context((slurm.folder / f"{name}.out").open("ab"))
    path = str(shutil.which(name, path=_path()))
    process = subprocess.Popen([path, *options], env=slurm.environment, stdout=log, stderr=log, start_new_session=True)
    stack.callback(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    family = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()


def _free_job() -> tuple[int, int]:
    """Return the number of a first job whose ports, by the script's rule, are free, and the first of these ports."""
    while True:
        number = random.randrange(1000, 30000)
        base = 20000 + number % 400 * PORTS_OF_A_JOB
        if all(map(_free, range(base, base + 2 * PORTS_OF_A_JOB))):
            return number, base


def _free(port: int) -> bool:
    with socket.socket() as tried:
        return port < 2**16 and tried.connect_ex(("127.0.0.1", port)) != 0


def _until(what: str, condition: object) -> None:
    deadline = time.monotonic() + START_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{what}: not within {START_S:g} s"
        time.sleep(0.2)


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
