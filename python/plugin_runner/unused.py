"""What of a value a library read over: names that its models do not know, and ignore."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin_runner.encode import Path
    from plugin_runner.shape import Faults


class Known:
    """The names that a model takes, each with its attribute, and whether it ignores all others without a word."""

    __slots__ = ("flat", "ignores", "names", "takes_all")

    def __init__(
        self, names: dict[str, str], ignores: bool, takes_all: bool = False, flat: frozenset[str] = frozenset()
    ) -> None:
        self.names = names
        self.ignores = ignores
        self.takes_all = takes_all
        self.flat = flat
        """The attributes that hold no models, however long their lists are: there is nothing to find in them."""


_known: dict[type, Known | None] = {}


def warn_of_ignored(given: Any, made: Any, path: Path, faults: Faults) -> None:
    """Compares what was given with what was made of it, and warns of each name that found no place in a model."""
    if isinstance(given, dict):
        if isinstance(made, dict):
            _compare_dicts(given, made, path, faults)
        else:
            _compare_model(given, made, path, faults)
    elif isinstance(given, list) and isinstance(made, (list, tuple)) and len(given) == len(made):
        for index, item in enumerate(given):
            if isinstance(item, (dict, list)):
                warn_of_ignored(item, made[index], (path, index), faults)


def _compare_model(given: dict[str, Any], made: Any, path: Path, faults: Faults) -> None:
    kind = type(made)
    if getattr(kind, "__pydantic_root_model__", False):
        return warn_of_ignored(given, made.root, path, faults)
    known = known_names(kind)
    if known is None:
        return None
    for name, item in given.items():
        attribute = known.names.get(name)
        if attribute is None:
            if known.ignores:
                faults.ignored((path, name), known.names)
        elif isinstance(item, (dict, list)) and attribute not in known.flat:
            warn_of_ignored(item, getattr(made, attribute, None), (path, name), faults)


def _compare_dicts(given: dict[str, Any], made: dict[Any, Any], path: Path, faults: Faults) -> None:
    """A TypedDict drops what it does not know; a dict with keys of another type has none to compare."""
    if len(made) < len(given):
        _refuse_equal_numbers(given, made, path, faults)
    for name, item in given.items():
        if name in made:
            if isinstance(item, (dict, list)):
                warn_of_ignored(item, made[name], (path, name), faults)
        elif all(isinstance(key, str) for key in made):
            faults.ignored((path, name), made)


def _refuse_equal_numbers(given: dict[str, Any], made: dict[Any, Any], path: Path, faults: Faults) -> None:
    """Keys such as "1" and "01" are one number: a value was lost."""
    if not all(isinstance(key, (int, float)) for key in made):
        return
    seen: dict[float, str] = {}
    for name in given:
        try:
            first = seen.setdefault(float(name), name)
        except ValueError:
            continue
        if first != name:
            faults.add((path, name), f"is the same key as {first!r}", "uniqueKeys")


def known_names(kind: Any) -> Known | None:
    """The names that a model's class takes. None for what is no model."""
    try:
        return _known[kind]
    except KeyError:
        known = _known[kind] = _look(kind)
        return known


def _look(kind: Any) -> Known | None:
    if hasattr(kind, "__pydantic_fields__"):
        return _pydantic(kind)
    if hasattr(kind, "__struct_fields__"):
        config = kind.__struct_config__
        names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__))
        if config.tag_field is not None:
            names[config.tag_field] = ""
        return Known(names, not config.forbid_unknown_fields)
    if is_old_pydantic(kind):
        return _old_pydantic(kind)
    if dataclasses.is_dataclass(kind):
        return Known({field.name: field.name for field in dataclasses.fields(kind) if field.init}, True)
    if hasattr(kind, "__attrs_attrs__"):
        return Known({one.alias or one.name: one.name for one in kind.__attrs_attrs__ if one.init}, True)
    if hasattr(kind, "__required_keys__"):
        return Known({name: name for name in kind.__required_keys__ | kind.__optional_keys__}, True)
    return None


def _pydantic(kind: Any) -> Known:
    config = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None) or {}
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    names: dict[str, str] = {}
    for attribute, field in kind.__pydantic_fields__.items():
        aliases = _aliases(field.validation_alias or field.alias)
        for name in aliases if aliases and not by_name else [*aliases, attribute]:
            names[name] = attribute
    extra = config.get("extra")
    flat = frozenset(name for name, field in kind.__pydantic_fields__.items() if not _holds_models(field.annotation))
    return Known(names, extra in (None, "ignore") and not _reads_raw(kind), extra == "allow", flat)


def _holds_models(hint: Any) -> bool:
    """Whether there is something to compare in a value: a model, or keys that may have become equal."""
    inner = typing.get_args(hint)
    if inner:
        kind = typing.get_origin(hint)
        if isinstance(kind, type) and issubclass(kind, Mapping) and inner[0] is not str:
            return True
        return typing.get_origin(hint) is not typing.Literal and any(_holds_models(each) for each in inner)
    if hint is Any or hint is None or hint is ... or (isinstance(hint, type) and hint.__module__ == "builtins"):
        return False
    marks = ("__pydantic_fields__", "__struct_fields__", "__dataclass_fields__", "__attrs_attrs__", "__required_keys__")
    return not isinstance(hint, type) or any(hasattr(hint, mark) for mark in marks) or is_old_pydantic(hint)


def _aliases(alias: Any) -> list[str]:
    if alias is None or isinstance(alias, str):
        return [alias] if alias else []
    if hasattr(alias, "choices"):
        return [name for choice in alias.choices for name in _aliases(choice)]
    return [str(alias.path[0])]


def _reads_raw(kind: Any) -> bool:
    """Whether code of the author sees what was given: nobody knows what it does with further names."""
    validators = getattr(getattr(kind, "__pydantic_decorators__", None), "model_validators", {})
    if any(one.info.mode in ("before", "wrap") for one in validators.values()):
        return True
    return bool(getattr(kind, "__pydantic_custom_init__", False))


def is_old_pydantic(kind: Any) -> bool:
    """Whether a class is a model of pydantic 1, or of `pydantic.v1`."""
    if "pydantic" not in sys.modules or not isinstance(kind, type) or hasattr(kind, "__pydantic_validator__"):
        return False
    return hasattr(kind, "parse_obj") and hasattr(kind, "__fields__") and hasattr(kind, "__config__")


def _old_pydantic(kind: Any) -> Known:
    config = kind.__config__
    names: dict[str, str] = {}
    for attribute, field in kind.__fields__.items():
        names[field.alias] = attribute
        if config.allow_population_by_field_name:
            names[attribute] = attribute
    extra = getattr(config.extra, "value", config.extra)
    return Known(names, extra == "ignore" and not kind.__pre_root_validators__, extra == "allow")
