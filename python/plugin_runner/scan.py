"""Finds actions in source text, without running it."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, NamedTuple

from plugin_runner.authoring import class_action_name, first_paragraph
from plugin_runner.failure import plugin_invalid
from plugin_runner.module_files import FILE_BYTES_LIMIT, module_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Union

    Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef]

_LIBRARIES = ("plugin_runner", "synapse_sdk")


class Found(NamedTuple):
    """An action as its source text shows it.

    Without a name: a place that makes actions whose names only the loaded code knows. `entrypoint` is then the module,
    with its colon, and `description` the file.
    """

    name: str
    description: str
    entrypoint: str
    line: int


class _Class(NamedTuple):
    node: ast.ClassDef
    module: str
    bases: list[str]


def scan(root: str, module: str = "") -> list[Found]:
    """The actions of a module or package under `root`, or with no `module` of every module there.

    Raises PLUGIN_INVALID when `module` does not exist or cannot be parsed, and for a folder when nothing was found and
    a file of it cannot be parsed.
    """
    found: list[Found] = []
    classes: dict[str, _Class] = {}
    broken: SyntaxError | None = None
    for file, name in module_files(root, module):
        try:
            tree = _parsed(file)
        except SyntaxError as error:
            if module:
                raise plugin_invalid(error, name, root) from None
            broken = broken or error
            continue
        origins = _origins(tree, name, file.endswith("__init__.py"))
        functions: dict[str, Found] = {}
        for node in _statements(tree.body):
            if isinstance(node, ast.ClassDef):
                bases = [_origin(_unsubscripted(base), origins) for base in node.bases]
                classes[f"{name}.{node.name}"] = _Class(node, name, bases)
                for method in node.body:
                    if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_static(method):
                        functions.update(_function(method, name, f"{node.name}.{method.name}", origins))
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions.update(_function(node, name, node.name, origins))
        found += functions.values()
        found += _made(tree, name, os.path.relpath(file, root), origins)
    found += [_class_action(each) for path, each in classes.items() if _is_action(path, classes)]
    if not found and broken is not None:
        raise plugin_invalid(broken, module, root) from None
    return sorted(found, key=lambda each: (each.entrypoint.partition(":")[0], each.line))


def modules_about(root: str, makers: list[str]) -> list[str]:
    """The modules under `root` whose text has to do with actions, or with the modules that make some."""
    words = [*_LIBRARIES, *(maker.rpartition(".")[2] for maker in makers)]
    return [name for file, name in module_files(root) if name in makers or _mentions(file, words)]


def _mentions(file: str, words: list[str]) -> bool:
    with open(file, "rb") as source:
        text = source.read(FILE_BYTES_LIMIT)
    return any(word.encode() in text for word in words)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those under `if`, `try`, `with` and loops."""
    for node in body:
        yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            if isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.ExceptHandler)):
                yield from _statements(getattr(node, part, []))


def _parsed(file: str) -> ast.Module:
    with open(file, "rb") as source:
        text = source.read(FILE_BYTES_LIMIT + 1)
    if len(text) > FILE_BYTES_LIMIT or not any(library.encode() in text for library in (*_LIBRARIES, "Action")):
        return ast.Module(body=[], type_ignores=[])
    try:
        return ast.parse(text, file)
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, absurd nesting
        raise SyntaxError(str(error) or type(error).__name__, (file, 1, 1, None)) from None


def _origins(tree: ast.Module, module: str, is_package: bool) -> dict[str, str]:
    """Where the names of a module come from, dotted."""
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                origins[alias.asname or top] = top
        elif isinstance(node, ast.ImportFrom):
            start = node.module or ""
            if node.level:
                package = module.split(".")
                cut = len(package) - node.level + (1 if is_package else 0)
                start = ".".join(package[: max(cut, 0)] + ([node.module] if node.module else []))
            for alias in node.names:
                origins[alias.asname or alias.name] = f"{start}.{alias.name}"
        elif isinstance(node, ast.ClassDef):
            origins.setdefault(node.name, f"{module}.{node.name}")
    return origins


def _origin(node: ast.expr, origins: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([origins.get(node.id, node.id), *reversed(parts)])


def _unsubscripted(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def _function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, module: str, path: str, origins: dict[str, str]
) -> dict[str, Found]:
    """The action that a function is, by its entry point: of several functions of one name, the last is the module's."""
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if _is_naming(decorator, origins):
            given = {each.arg: _text(each.value) for each in call.keywords} if call else {}
            first = _text(call.args[0]) if call and call.args else ""
            name = given.get("name") or first or node.name
            entrypoint = f"{module}:{path}"
            return {
                entrypoint: Found(name, given.get("description") or _docstring(node), entrypoint, node.lineno),
            }
    return {}


def _is_declaring(node: ast.expr, origins: dict[str, str]) -> bool:
    origin = _origin(node, origins)
    return origin.startswith(_LIBRARIES) and origin.endswith(".action")


def _is_naming(decorator: ast.expr, origins: dict[str, str]) -> bool:
    """Whether a decorator declares an action in words that the text shows."""
    if not _is_declaring(_called(decorator), origins):
        return False
    if not isinstance(decorator, ast.Call):
        return True
    given = [*decorator.args[:1], *(each.value for each in decorator.keywords if each.arg in (None, "name"))]
    return all(isinstance(each, ast.Constant) for each in given)


def _is_static(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in node.decorator_list)


def _made(tree: ast.Module, module: str, file: str, origins: dict[str, str]) -> Iterator[Found]:
    """The first place that declares an action in a way that only the loaded code can name."""
    seen: set[int] = set()
    functions: set[str] = set()
    for node in _statements(tree.body):
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        for each in members:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and (each is node or _is_static(each)):
                declaring = [_called(part) for part in each.decorator_list if _is_naming(part, origins)]
                seen.update(map(id, declaring))
                functions.update([each.name] if declaring else [])
    for part in ast.walk(tree):
        hidden = isinstance(part, (ast.Name, ast.Attribute)) and id(part) not in seen and _is_declaring(part, origins)
        if hidden or (isinstance(part, ast.Call) and _is_partial(part, functions, origins)):
            yield Found("", file, f"{module}:", part.lineno)  # type: ignore[attr-defined]
            return


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _is_partial(node: ast.Call, functions: set[str], origins: dict[str, str]) -> bool:
    if _origin(node.func, origins) != "functools.partial" or not node.args:
        return False
    first = node.args[0]
    return isinstance(first, ast.Name) and first.id in functions


def _is_action(path: str, classes: dict[str, _Class]) -> bool:
    line = _line(path, classes)
    own = classes[path]
    if own.node.name.startswith("_") or _is_abstract(own):
        return False
    library_bases = [base for each in line for base in each.bases if base.startswith(_LIBRARIES)]
    if not any(base.endswith("Action") for base in library_bases):
        return False
    if not all(base.endswith(".BaseAction") for base in library_bases if base.endswith("Action")):
        return True  # one of the SDK's kinds of action, which may bring its own execute()
    return any(_method(each.node, name) for each in line for name in ("execute", "run", "dispatch"))


def _line(path: str, classes: dict[str, _Class]) -> list[_Class]:
    """A class and those of its bases that were found."""
    line: dict[str, _Class] = {}
    waiting = [path]
    while waiting:
        name = waiting.pop()
        if name in classes and name not in line:
            line[name] = classes[name]
            waiting += classes[name].bases
    return list(line.values())


def _is_abstract(own: _Class) -> bool:
    return any(base in ("abc.ABC", "ABC") for base in own.bases) or any(
        isinstance(decorator, (ast.Name, ast.Attribute)) and _origin(decorator, {}).endswith("abstractmethod")
        for node in own.node.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for decorator in node.decorator_list
    )


def _method(node: ast.ClassDef, name: str) -> bool:
    return any(isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == name for each in node.body)


def _class_action(own: _Class) -> Found:
    node = own.node
    return Found(
        _attribute(node, "action_name") or class_action_name(node.name),
        _attribute(node, "description") or _docstring(node),
        f"{own.module}:{node.name}",
        node.lineno,
    )


def _attribute(node: ast.ClassDef, name: str) -> str:
    for each in node.body:
        targets: list[Any] = each.targets if isinstance(each, ast.Assign) else []
        if isinstance(each, ast.AnnAssign) and each.value is not None:
            targets = [each.target]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return _text(each.value)  # type: ignore[attr-defined]
    return ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _docstring(node: Definition) -> str:
    return first_paragraph(ast.get_docstring(node))
