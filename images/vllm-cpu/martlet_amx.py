"""Asks Linux for the registers of Intel's AMX, once for each process, as Python starts in it.

A process that has not asked is ended with SIGILL at its first AMX instruction. vLLM's attention for
CPUs takes AMX where the processor has it and does not ask; that works where oneDNN has asked
before, which it does only when it chooses a kernel with AMX itself. So an engine died or not by the
shape of its first request. Loaded by ``martlet_amx.pth``.

Source: Linux, Documentation/arch/x86/xstate.rst.
"""

import ctypes
import platform

_ARCH_PRCTL = 158
_ARCH_REQ_XCOMP_PERM = 0x1023
_XTILEDATA = 18


def request() -> bool:
    """Whether AMX may be used now; False where the processor or Linux has none."""
    if platform.machine() != "x86_64":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(_ARCH_PRCTL, _ARCH_REQ_XCOMP_PERM, _XTILEDATA) == 0)


request()
