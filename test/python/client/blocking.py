"""The asynchronous client as one that waits, so that one suite tests both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator
from typing import Any

from plugin_runner.client import AsyncClient, AsyncJobHandle


class Blocking:
    """An AsyncClient, or a handle of a job, whose methods wait for what they return."""

    def __init__(self, loop: asyncio.AbstractEventLoop, subject: AsyncClient | AsyncJobHandle) -> None:
        self._loop = loop
        self._subject = subject

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._subject, name)
        return (lambda *args, **options: self._waited(value(*args, **options))) if callable(value) else value

    def _waited(self, value: Any) -> Any:
        if inspect.isasyncgen(value):
            return self._iterated(value)
        result = self._loop.run_until_complete(value) if inspect.isawaitable(value) else value
        return Blocking(self._loop, result) if isinstance(result, AsyncJobHandle) else result

    def _iterated(self, values: AsyncGenerator[Any, None]) -> Generator[Any, None, None]:
        try:
            while True:
                try:
                    yield self._loop.run_until_complete(values.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(values.aclose())
