"""What pydantic's models, of version 1 and 2, are as a result: what their schema says, under its aliases."""

from __future__ import annotations

from typing import Any


def dumped(model: Any) -> Any:
    """A model, or a dataclass of pydantic, as plain data.

    In the mode of JSON, which is what the schema describes. Where this mode cannot say a field, all fields are taken as
    Python has them, so that the walk can point to it.
    """
    if not hasattr(type(model), "__pydantic_serializer__"):
        return _dumped_by_version_1(model)
    attempts: tuple[dict[str, Any], ...] = ({"mode": "json"}, {"mode": "json", "fallback": _fallback}, {})
    for options in attempts[:-1]:
        try:
            return _dump(model, options)
        except Exception:  # a type that pydantic does not know, or an older pydantic without `fallback`
            continue
    return _dump(model, attempts[-1])


def jsonable(value: Any) -> Any:
    """A value of one of pydantic's own types: a URL, a secret."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _dump(model: Any, options: dict[str, Any]) -> Any:
    own = getattr(model, "model_dump", None)
    if callable(own):
        return own(by_alias=True, **options)
    return type(model).__pydantic_serializer__.to_python(model, by_alias=True, **options)


def _fallback(value: Any) -> Any:
    from plugin_runner.simplify import simpler

    return simpler(value)


def _dumped_by_version_1(model: Any) -> Any:
    from json import loads

    try:
        return loads(model.json(by_alias=True))
    except Exception:
        return model.dict(by_alias=True)
