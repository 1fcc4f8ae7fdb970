"""Errors as the service reads them: a reason of its closed list, a message, and data."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    class Violation(TypedDict):
        field: str
        description: str
        rule: str

    class ErrorRecord(TypedDict, total=False):
        reason: str
        message: str
        metadata: dict[str, str]
        violations: list[Violation]
        exception_type: str
        stack: str
        partial_result: Any
        non_finite: list[str]


class RunnerError(Exception):
    """An error of one of the service's reasons, for example `PARAMS_INVALID`. Never seen by a plugin."""

    def __init__(
        self,
        reason: str,
        message: str,
        metadata: dict[str, str] | None = None,
        violations: list[Violation] | None = None,
        exception_type: str = "",
        stack: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.violations = violations or []
        self.exception_type = exception_type
        self.stack = stack
        self.partial_result: Any = None
        """What can be carried of a result that is invalid; None when nothing of it can."""
        self.non_finite: list[str] = []
        """JSON pointers to the texts in `partial_result` that stand for a number."""

    def record(self) -> ErrorRecord:
        """The error as docs/protocol.md has it."""
        record: ErrorRecord = {
            "reason": self.reason,
            "message": self.message,
            "metadata": self.metadata,
            "violations": self.violations,
            "exception_type": self.exception_type,
            "stack": self.stack,
        }
        if self.partial_result is not None:
            record["partial_result"] = self.partial_result
        if self.non_finite:
            record["non_finite"] = self.non_finite
        return record


def nearest(name: str, known: list[str]) -> str:
    """The known name that is most like `name`, or nothing."""
    from difflib import get_close_matches

    lower = {each.lower(): each for each in reversed(known)}
    return next((lower[each] for each in get_close_matches(name.lower(), list(lower), 1)), "")
