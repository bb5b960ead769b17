"""What runs in a child between fork and exec: it becomes another user if told to, and ends with its parent.

Run as a script by its path, in an interpreter without site-packages: it starts in 20 ms, knowing nothing of
playhead. Python code between fork and exec (`preexec_fn`) can deadlock where the parent has threads.

    child.py PARENT_PID DEATH_SIGNAL UID GID FOLDER COMMAND...

UID -1 keeps the user. Exits with 126 and one line on stderr where the command can't be run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys

# The kernel's numbers: linux/prctl.h, linux/capability.h, linux/securebits.h.
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETPCAP = 1, 2, 8
CAPABILITY_VERSION_3 = 0x20080522
SECBIT_NO_SETUID_FIXUP = 1 << 2

IS_LINUX = sys.platform == "linux"


def main() -> None:
    parent_pid, death_signal, uid, gid = (int(word) for word in sys.argv[1:5])
    folder, command = sys.argv[5], sys.argv[6:]
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if uid >= 0:
        _become(uid, gid, command[0], folder)
    _end_with_parent(parent_pid, death_signal)
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as failed:
        _give_up(f"{command[0]} cannot be run: {failed.strerror}")


def _become(uid: int, gid: int, binary: str, folder: str) -> None:
    """An unprivileged user that still reaches both paths, which may lie in folders that only root enters."""
    if IS_LINUX:
        _prctl(PR_SET_KEEPCAPS, 1)
    _switch(uid, gid)
    if _reachable(binary, folder):
        return  # exec drops what capabilities are left
    for capability in (
        CAP_DAC_READ_SEARCH,
        CAP_DAC_OVERRIDE,
    ):  # the first that root has here; containers have the second
        with contextlib.suppress(OSError):
            _keep(capability)
            break
    if not _reachable(binary, folder):
        _give_up(
            f"user {uid} cannot enter the folders above {binary} and {folder}: do not run playhead as root"
        )


def _switch(uid: int, gid: int) -> None:
    with contextlib.suppress(
        PermissionError
    ):  # a user namespace may forbid it; it has no groups of others to lose
        os.setgroups([])
    try:
        os.setgid(gid)
        os.setuid(uid)
    except OSError as failed:
        _give_up(f"root cannot become user {uid} here ({failed.strerror}): do not run playhead as root")


def _reachable(binary: str, folder: str) -> bool:
    """Postgres asks access(2) for its binaries, which ignores capabilities; the folder it just enters."""
    return os.access(binary, os.X_OK) and os.access(folder, os.X_OK, effective_ids=True)


def _keep(capability: int) -> None:
    """Carries one capability over exec, although the user is no longer root."""
    if not IS_LINUX:
        return
    wanted = 1 << capability
    with contextlib.suppress(OSError):
        # With it access(2) honours capabilities.
        _set_capabilities(wanted | 1 << CAP_SETPCAP, wanted)
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    _set_capabilities(wanted, wanted)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)


def _end_with_parent(parent_pid: int, death_signal: int) -> None:
    if not IS_LINUX:
        return
    _prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent_pid:  # it died before the line above
        _give_up("the process that started it is gone")


def _set_capabilities(permitted: int, inheritable: int) -> None:
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    sets = struct.pack("=6I", permitted, permitted, inheritable, 0, 0, 0)
    _checked(ctypes.CDLL(None, use_errno=True).capset(header, sets))


def _prctl(option: int, *arguments: int) -> None:
    words = (*arguments, 0, 0, 0, 0)[:4]
    _checked(ctypes.CDLL(None, use_errno=True).prctl(option, *(ctypes.c_ulong(word) for word in words)))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _give_up(why: str) -> None:
    print(why, file=sys.stderr)
    raise SystemExit(126)


if __name__ == "__main__":
    main()
