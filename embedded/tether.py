"""Becomes another program that never outlives its parent; run as a script, it replaces itself by exec.

A small program of its own, because what happens between fork and exec in a process with threads
must not be Python: `python -IS tether.py SIGNAL PARENT UID REACH -- PROGRAM ARGUMENT…`.
"""

import ctypes
import os
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _call(name: str, *arguments: object) -> None:
    """Call the C library; raises OSError when it refuses."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def become(uid: int, *, reach: bool) -> None:
    """Drop root for the user ``uid``; with ``reach`` keep the right to enter folders closed to that user.

    A checkout under /root is such a folder: the database server refuses to run as root, and its
    user could neither read the program nor find its own data there.
    """
    if reach:
        # Else setuid takes the right away, and so does access(2) for its question later on.
        _call("prctl", PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if reach:
        _keep_reach()


def _keep_reach() -> None:
    header, sets = _Header(CAPABILITY_VERSION_3, 0), (_Set * 2)()
    _call("capget", ctypes.byref(header), ctypes.byref(sets))
    held = sets[0].permitted
    # Reading everything is less than overriding everything; containers often grant the latter only.
    right = CAP_DAC_READ_SEARCH if held & 1 << CAP_DAC_READ_SEARCH else CAP_DAC_OVERRIDE
    sets[0] = _Set(1 << right, 1 << right, 1 << right)
    sets[1] = _Set(0, 0, 0)
    _call("capset", ctypes.byref(header), ctypes.byref(sets))
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0)


def tie(signal: int, parent: int) -> None:
    """Have the kernel send this process ``signal`` when its parent's thread dies (Linux only).

    Comes after any change of user, which unties.
    """
    if sys.platform != "linux":
        return
    _call("prctl", PR_SET_PDEATHSIG, signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before we were tied
        raise SystemExit(1)


def tethered(
    program: Sequence[str | os.PathLike[str]], dies_by: int, *, user: int | None, reach: bool
) -> list[str]:
    """The command that runs ``program`` (an absolute path, arguments) tied to this process.

    The kernel sends it the signal ``dies_by`` when the thread that starts it dies.
    """
    who = "-" if user is None else str(user)
    tether = [str(int(dies_by)), str(os.getpid()), who, "reach" if reach else "-", "--"]
    return [sys.executable, "-I", "-S", __file__, *tether, *(os.fspath(part) for part in program)]


def main(arguments: list[str]) -> None:
    """Parse ``SIGNAL PARENT UID REACH -- PROGRAM ARGUMENT…`` and become the program; UID - keeps the user."""
    (signal, parent, uid, reach), program = arguments[:4], arguments[5:]
    if uid != "-":
        try:
            become(int(uid), reach=reach == "reach")
        except OSError as problem:
            raise SystemExit(
                f"FATAL:  it must run as user {uid}, who may not enter the folder of {program[0]} or of its "
                f"data, and this machine lends no right to do so ({problem}): let every user enter them"
            ) from None
    tie(int(signal), int(parent))
    os.execv(program[0], program)  # noqa: S606  # the caller names the program


if __name__ == "__main__":
    main(sys.argv[1:])
