"""What a model of pydantic was given, with the defaults that it filled in."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from plugin_runner.shape import put_default

if TYPE_CHECKING:
    from plugin_runner.encode import Path
    from plugin_runner.shape import Faults


def with_defaults(given: Any, made: Any, path: Path, faults: Faults) -> Any:
    """`given` with the declared defaults of all models that it became.

    Not what the model made of it: a validator that doubles a number would double it again when the params are used
    anew, and a secret would be stars.
    """
    if _is_root(made):
        return with_defaults(given, made.root, path, faults)
    if isinstance(given, dict):
        fields = getattr(type(made), "__pydantic_fields__", None)
        if fields is not None:
            return _of_model(given, made, fields, path, faults)
        if isinstance(made, dict) and len(made) == len(given):
            pairs = zip(given.items(), made.values())
            return {name: with_defaults(item, inner, (path, name), faults) for (name, item), inner in pairs}
    if isinstance(given, list) and isinstance(made, (list, tuple)) and len(made) == len(given):
        items = enumerate(zip(given, made))
        return [with_defaults(item, inner, (path, index), faults) for index, (item, inner) in items]
    return given


def _of_model(given: dict[str, Any], made: Any, fields: dict[str, Any], path: Path, faults: Faults) -> dict[str, Any]:
    shown = dict(given)
    names_of = {name: _names(name, field) for name, field in fields.items()}
    # Under other names than the model's own its validators may have found any field; those that it set are known then.
    foreign = not given.keys() <= {each for names in names_of.values() for each in names}
    found: set[str] = getattr(made, "model_fields_set", set()) if foreign else set()
    for name, field in fields.items():
        names = names_of[name]
        taken = next((each for each in names if each in given), None)
        if taken is not None:
            shown[taken] = with_defaults(given[taken], getattr(made, name, None), (path, taken), faults)
        elif name not in found and not field.is_required():
            _put(shown, names[0], field, (path, names[0]), faults)
    return shown


def _put(shown: dict[str, Any], name: str, field: Any, path: Path, faults: Faults) -> None:
    # A factory that looks at the other fields finds its value again by itself.
    if getattr(field, "default_factory_takes_validated_data", False):
        return
    default = field.get_default(call_default_factory=True)
    if default is not None or _takes_null(field.annotation):  # a model does not validate `n: int = None`
        put_default(shown, name, default, path, faults)


def _takes_null(hint: Any) -> bool:
    if hint in (Any, None, type(None), object):
        return True
    return any(each is type(None) for each in typing.get_args(hint))


def _names(name: str, field: Any) -> list[str]:
    """The names under which a model takes a field, the first of them first."""
    alias = field.validation_alias if field.validation_alias is not None else field.alias
    choices = getattr(alias, "choices", [alias])
    return [*(choice for choice in choices if isinstance(choice, str)), name]


def _is_root(made: Any) -> bool:
    return list(getattr(type(made), "__pydantic_fields__", ())) == ["root"] and hasattr(type(made), "model_fields")
