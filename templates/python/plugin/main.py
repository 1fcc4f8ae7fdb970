"""The actions of this plugin."""

from plugin_runner import Context, action


@action
def greet(name: str = "world", times: int = 3, *, ctx: Context) -> dict:
    """Writes a greeting, as often as is asked for, to a file."""
    path = f"{ctx.work_dir}/greetings.txt"
    with open(path, "w", encoding="utf-8") as file:
        for count in range(1, times + 1):
            ctx.raise_if_cancelled()
            file.write(f"Hello, {name}!\n")
            ctx.set_progress(count, times, message=f"greeting {count}")
    ctx.log_message(f"Greeted {name}.", times=times)
    ctx.artifact(path)
    return {"greeting": f"Hello, {name}!", "times": times}
