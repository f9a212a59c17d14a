import errno
import subprocess
import sys

import pytest

from pipeline.measure import amx

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
# In a process of its own, since nothing takes it back: what was said, how tiles are refused, and
# how something else that the same system call is asked for goes.
KEEP_OUT = """
import ctypes, pathlib, sys
from pipeline.measure import amx
amx._CPU = pathlib.Path(sys.argv[1])
said = amx.keep_out()
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(158, 0x1023, 18)
refused = ctypes.get_errno()
other = libc.syscall(158, 0x1004, ctypes.byref(ctypes.c_ulong()))
print(said, refused, other)
"""


def cpu(folder, flags):
    path = folder / "cpuinfo"
    path.write_text(f"model name : some x86\nflags : fpu {flags}\n", encoding="utf-8")
    return path


def kept_out(path):
    command = [sys.executable, "-c", KEEP_OUT, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return said[0], *map(int, said[1:])


@ON_LINUX
def test_a_process_that_keeps_it_out_is_refused_tiles_and_nothing_else(tmp_path):
    if amx.platform.machine() != "x86_64":
        pytest.skip("of x86")
    assert kept_out(cpu(tmp_path, "avx2 amx_int8")) == ("off", errno.EPERM, 0)


@ON_LINUX
def test_a_processor_without_is_left_as_it_is(tmp_path):
    said, refused, other = kept_out(cpu(tmp_path, "avx2"))
    assert said == "none"
    assert refused != errno.EPERM
    if amx.platform.machine() == "x86_64":
        assert other == 0


def test_other_systems_have_none(monkeypatch, tmp_path):
    monkeypatch.setattr(amx, "_CPU", cpu(tmp_path, "amx_int8"))
    monkeypatch.setattr(amx.platform, "machine", lambda: "aarch64")
    assert not amx.has_amx()
    assert amx.keep_out() == "none"
