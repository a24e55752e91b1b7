"""Run a command that dies with its supervisor: `leash.py PARENT COMMAND…`, started by path.

The kernel is asked to kill the process when its parent dies, however it dies; then the command takes its
place, so that process ID and command line are the command's own. Where the kernel cannot be asked (not
Linux), what a killed supervisor leaves is ended by the next `up` or `down`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor is gone")  # it died before the kernel was asked
    os.execvp(command[0], command)  # noqa: S606 - the supervisor made the command; there is no shell


if __name__ == "__main__":
    main()
