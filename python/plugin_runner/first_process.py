"""The first process of a container: starts a program, passes signals on to it, and waits for all that ends.

The kernel gives a process whose parent has ended to the first one, and keeps what has ended until that waits for it.
"""

from __future__ import annotations

import os
import signal
import sys

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def main(command: list[str]) -> int:
    """Ends as the program does; with 128 and the signal's number where that is its end."""
    # None of them may come between the start and the handlers, which need to know whom to pass it on to.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    # In a group of its own: what a terminal sends to the group would come twice.
    program = os.posix_spawn(command[0], command, os.environ, setpgroup=0, setsigmask=())
    for number in PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(program, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    while True:
        ended, status = os.wait()
        if ended == program:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
