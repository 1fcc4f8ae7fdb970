"""The event loop of `async def` actions. It stays from run to run, so that clients bound to it do too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

_loop: asyncio.AbstractEventLoop | None = None


def finish(awaitable: Awaitable[Any]) -> Any:
    """The outcome of an awaitable. Tasks that it leaves behind are cancelled."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    try:
        return _loop.run_until_complete(_outcome(awaitable))
    finally:
        _cancel_rest(_loop)


async def _outcome(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
