"""How an action is told to stop."""

from __future__ import annotations


class Cancelled(BaseException):
    """Ends an action that was told to stop.

    It is no `Exception`, so that an `except Exception` around one step of the work does not swallow it.
    """


class Cancellation:
    """A flag that is raised once, from any thread."""

    __slots__ = ("requested",)

    def __init__(self) -> None:
        self.requested = False
