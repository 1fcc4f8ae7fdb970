"""The event loop of `async def` actions. It stays from run to run, so that clients bound to it do too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

# How long what an action leaves behind may take to end, once it was cancelled.
_REST_SECONDS = 1.0

_loop: asyncio.AbstractEventLoop | None = None


def finish(awaitable: Awaitable[Any]) -> Any:
    """The outcome of an awaitable. Tasks that it leaves behind are cancelled."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    loop = _loop
    asyncio.set_event_loop(loop)
    task = loop.create_task(_outcome(awaitable))
    try:
        value = loop.run_until_complete(task)
    except Exception:
        _end_rest(loop)
        raise
    except BaseException:  # an interrupt, maybe in the middle of the loop's own work, or of the task's
        task.cancel()
        loop.run_until_complete(asyncio.wait({task}))
        if not task.cancelled():
            task.exception()  # asked for, so that it is not reported as forgotten
        _end_rest(loop)
        _leave(loop)
        raise
    _end_rest(loop)
    return value


async def _outcome(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _end_rest(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what is left. A task that refuses to end does not hold up the answer: it is left with its loop."""
    rest = asyncio.all_tasks(loop)
    if not rest:
        return
    for task in rest:
        task.cancel()
    done, pending = loop.run_until_complete(asyncio.wait(rest, timeout=_REST_SECONDS))
    for task in done:
        if not task.cancelled():
            task.exception()
    if pending:
        _leave(loop)


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """Closes a loop with what still waits in it; the next action gets a new one."""
    global _loop
    _loop = None
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
