"""The signals that the supervisor of a job hears."""

from __future__ import annotations

import signal

# The service asks by a signal of its own, so that nobody else's is taken for a cancel. It needs no room on a disk.
STOPS = {signal.SIGUSR2: "SERVICE", signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT"}

# A job outlives the terminal of its service.
SIGNALS = (*STOPS, signal.SIGCHLD, signal.SIGHUP)
