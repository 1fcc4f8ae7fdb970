"""How a plugin declares its actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Generic, TypeVar, get_args, get_origin, overload

if TYPE_CHECKING:
    import logging
    from typing import ClassVar, Optional

    from plugin_runner.context import Context

Params = TypeVar("Params")
Function = TypeVar("Function", bound=Callable[..., Any])


class Declaration:
    """What `@action` says about a function; kept at the function as `__plugin_runner_action__`."""

    __slots__ = ("description", "name")

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.description = description


@overload
def action(function: Function) -> Function: ...
@overload
def action(function: str = "", *, name: str = "", description: str = "") -> Callable[[Function], Function]: ...
def action(function: Function | str | None = None, *, name: str = "", description: str = "") -> Any:
    """Declares a function, `def` or `async def`, as an action. The function itself stays as it is.

    A parameter that is annotated with `Context`, or called `ctx` or `context` and has no type, gets the context. One
    further parameter that is annotated with a dataclass, a TypedDict or a model, or that is called `params`, gets all
    params; otherwise each parameter gets the param of its name.

    Args:
        function: The function; or the action's name, as in `@action("train")`.
        name: The action's name. Default: the function's.
        description: What the action does. Default: the first paragraph of the docstring.
    """

    given = function if isinstance(function, str) else ""

    def declare(declared: Function) -> Function:
        target = declared.__func__ if isinstance(declared, staticmethod) else declared
        declaration = Declaration(name or given or getattr(target, "__name__", ""), description)
        target.__plugin_runner_action__ = declaration  # type: ignore[attr-defined]
        return declared

    return declare if function is None or isinstance(function, str) else declare(function)


class BaseAction(Generic[Params]):
    """An action as a class: `class TrainAction(BaseAction[TrainParams])` with a method `execute()`.

    The params' type is a dataclass, a TypedDict or a pydantic model; `BaseAction[dict]` takes any params.
    """

    action_name: ClassVar[str] = ""
    """The action's name. Default: the class's name in snake_case without its `Action`: `TrainAction` is `train`."""

    description: ClassVar[str] = ""
    """What the action does. Default: the first paragraph of the docstring."""

    params_model: ClassVar[Optional[type]] = None
    """The type of the params, where `BaseAction[…]` does not say it."""

    result_model: ClassVar[Optional[type]] = None
    """The type of the result, for its schema. A result that does not fit is logged as a warning."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "params_model" in cls.__dict__:
            return
        for base in getattr(cls, "__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            is_own = isinstance(origin, type) and issubclass(origin, BaseAction)
            if is_own and arguments and not isinstance(arguments[0], TypeVar):
                cls.params_model = arguments[0]

    def __init__(self, params: Params, ctx: Context) -> None:
        self.params = params
        self.ctx = ctx

    @property
    def logger(self) -> logging.Logger:
        """The context's logger."""
        return self.ctx.logger

    def execute(self) -> Any:
        """Does the work and returns its result. May be `async def`."""
        raise NotImplementedError(f"{type(self).__name__} has no execute()")

    def run(self) -> Any:
        """Calls `execute()`. For base classes that do something before or after it."""
        return self.execute()

    @classmethod
    def dispatch(cls, params: dict[str, Any], ctx: Context) -> Any:
        """Validates the params, makes the action and runs it. A class may do it in another way.

        Returns what `run()` returns: for `async def` something to await.
        """
        from plugin_runner.load import load_class

        loaded = load_class(cls, dispatching=False)
        assert loaded is not None  # this class has `execute()`
        return loaded.start(params, ctx)


def class_action_name(name: str) -> str:
    """`TrainAction` → `train`, `PreLabelAction` → `pre_label`, `HTTPCheck` → `http_check`."""
    if name.endswith("Action") and name != "Action":
        name = name[: -len("Action")]
    letters = []
    for index, letter in enumerate(name):
        after_small = index > 0 and not name[index - 1].isupper() and name[index - 1] != "_"
        before_small = index > 0 and name[index - 1].isupper() and name[index + 1 : index + 2].islower()
        letters.append(f"_{letter}" if letter.isupper() and (after_small or before_small) else letter)
    return "".join(letters).lower()


def first_paragraph(docstring: str | None) -> str:
    """A docstring's first paragraph as one line."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split())
