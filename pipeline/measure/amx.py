"""AMX, the matrix unit of some servers, kept out of measurements: no phone has one.

Its tiles take 64 channels at once, and XNNPACK fills up what a layer has not. A narrow network is
the slower for it, and one with channels taken out no faster: an int8 ResNet8 took 112 µs whole and
110 µs at 0.35 of its multiply-accumulates; without AMX, on the same core, 54 and 35 µs.

Source: Linux, Documentation/arch/x86/xstate.rst: a process asks for tiles by `arch_prctl` before it
uses them; XNNPACK takes its other kernels where that is refused. Here a seccomp filter refuses it.
"""

import ctypes
import platform
import struct
import sys
from pathlib import Path
from typing import Literal

Amx = Literal["none", "off", "on"]  # the processor has none; it is kept out; it cannot be

_CPU = Path("/proc/cpuinfo")
_ARCH_PRCTL, _ASK, _TILES = 158, 0x1023, 18  # the system call; what it is to do, and with what
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_X86_64, _ALLOW, _REFUSE = 0xC000003E, 0x7FFF0000, 0x00050001  # refused with EPERM
# What to do, whether to skip if true and if false, a number. Of a call: 0 its number, 4 the
# architecture, 16 its first argument.
_RULES = (
    (_LOAD, 0, 0, 4),
    (_EQUAL, 0, 5, _X86_64),
    (_LOAD, 0, 0, 0),
    (_EQUAL, 0, 3, _ARCH_PRCTL),
    (_LOAD, 0, 0, 16),
    (_EQUAL, 0, 1, _ASK),
    (_RETURN, 0, 0, _REFUSE),
    (_RETURN, 0, 0, _ALLOW),
)


def has_amx() -> bool:
    """Whether the processor, as this system shows it, computes int8 in tiles."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or not _CPU.is_file():
        return False
    return "amx_int8" in _CPU.read_text(encoding="utf-8")


def keep_out() -> Amx:
    """Refuse AMX to this process and its children, for good; to be called before LiteRT is used."""
    if not has_amx():
        return "none"
    libc = ctypes.CDLL(None, use_errno=True)
    packed = b"".join(struct.pack("=HBBI", *rule) for rule in _RULES)
    rules = ctypes.create_string_buffer(packed, len(packed))
    program = struct.pack("@HP", len(_RULES), ctypes.addressof(rules))
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_SECCOMP, _FILTER, ctypes.c_char_p(program), 0, 0)
    return "on" if libc.syscall(_ARCH_PRCTL, _ASK, _TILES) == 0 else "off"
