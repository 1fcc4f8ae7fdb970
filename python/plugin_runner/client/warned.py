"""What an action does not use of its params, as the caller is told of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugin_runner.client.failures import violations_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pluginrunner.v1.job_pb2 import FieldViolation


@dataclass(frozen=True)
class ParamsWarning:
    """Something in the params of a run or of a job that its action does not use, such as a misspelt name."""

    plugin: str
    action: str
    field: str
    """A JSON pointer, for example `/params/epoch`."""
    description: str
    """What is to be known."""


def log_warning(warning: ParamsWarning) -> None:
    """Writes a warning to the logger `plugin_runner`."""
    logging.getLogger("plugin_runner").warning(
        "%s of %s: %s %s", warning.action or "The action", warning.plugin, warning.field, warning.description
    )


def tell(
    told: Callable[[ParamsWarning], None] | None, plugin: str, action: str, warnings: Iterable[FieldViolation]
) -> None:
    """Tells of the warnings of a response."""
    for one in violations_of(warnings):
        (told or log_warning)(ParamsWarning(plugin, action, one.field, one.description))
