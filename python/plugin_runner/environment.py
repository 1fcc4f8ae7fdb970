"""The environment variables that a plugin's configuration and a request set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Environment(Mapping[str, str]):
    """A read-only mapping with readers for the usual types. A reader returns its default for a missing variable."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return f"Environment({sorted(self._variables)})"  # values may be secret

    def get_str(self, name: str, default: str | None = None) -> str | None:
        return self._variables.get(name, default)

    def get_int(self, name: str, default: int | None = None) -> int | None:
        """Raises ValueError when the variable is no integer."""
        text = self._variables.get(name)
        return default if text is None else int(text)

    def get_float(self, name: str, default: float | None = None) -> float | None:
        """Raises ValueError when the variable is no number."""
        text = self._variables.get(name)
        return default if text is None else float(text)

    def get_bool(self, name: str, default: bool | None = None) -> bool | None:
        """True for `true`, `1`, `yes` and `on` in any case, else False."""
        text = self._variables.get(name)
        return default if text is None else text.strip().lower() in ("true", "1", "yes", "on")

    def get_list(self, name: str, default: list[str] | None = None) -> list[str] | None:
        """The parts between commas, without space around them."""
        text = self._variables.get(name)
        return default if text is None else [part.strip() for part in text.split(",") if part.strip()]

    def to_dict(self) -> dict[str, Any]:
        return dict(self._variables)
