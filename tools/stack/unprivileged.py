"""Run a command that refuses to be root: `unprivileged.py PARENT COMMAND…`, started by path.

PostgreSQL does not start as root. In a user namespace of its own the process sees itself as an ordinary user
while the files stay the caller's, so that all state lies in the stack's folder. Nothing changes for whoever
is not root. The kernel is asked once more to kill the process with its supervisor: the namespace undid that.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
ORDINARY = 1000


def main() -> None:
    """Become an ordinary user if this is root, then the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if os.geteuid() == 0:
        _leave_root()
    if sys.platform == "linux" and parent:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor is gone")
    os.execvp(command[0], command)  # noqa: S606 - the stack made the command; there is no shell


def _leave_root() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        why = os.strerror(ctypes.get_errno())
        sys.exit(
            f"PostgreSQL does not run as root, and no user namespace is to be had here ({why}): "
            "start the stack as an ordinary user"
        )
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{ORDINARY} 0 1"),
        ("gid_map", f"{ORDINARY} 0 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(text)


if __name__ == "__main__":
    main()
