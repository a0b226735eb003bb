"""The class of a machine is what its numerical libraries choose their kernels by."""

import platform

from synfiqa.cluster.telemetry.machine import cpu_class, machine_class


def test_the_decisive_instruction_sets_are_named_in_one_order(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor: 0\nflags\t\t: fpu avx512f sse fma avx2\nflags\t\t: other\n")
    assert cpu_class(info) == f"{platform.machine()} avx2 fma avx512f"


def test_a_system_without_cpuinfo_names_its_processor(tmp_path):
    assert cpu_class(tmp_path / "missing").startswith(platform.machine())


def test_without_a_gpu_it_is_the_class_of_the_cpu():
    assert machine_class(gpu=False) == cpu_class()
