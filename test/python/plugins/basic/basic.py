import os
import subprocess
import sys

from plugin_runner import Context, action


@action
def echo(params: dict):
    return params


@action
def kinds(values: list):
    return [type(value).__name__ for value in values]


@action(name="sum", description="Adds two numbers.")
def add(a: int, b: int = 2) -> int:
    return a + b


@action
def report(ctx: Context, loops: int = 1):
    """Says all that a context can say."""
    print("to stdout")
    print("to stderr", file=sys.stderr)
    for turn in range(loops):
        ctx.set_progress(turn + 1, loops, "loop", message="turning")
    ctx.set_metrics({"loss": float("nan"), "nested": {"accuracy": 0.5}}, "epoch 1")
    ctx.log_metric("validation", "loss", 0.25, accuracy=1.0)
    ctx.log("checkpoint", {"epoch": 1}, file="model.bin")
    ctx.log_message("Halfway.", "warning", left=3)
    ctx.logger.info("%d images", 7, extra={"folder": "a"})
    return "reported"


@action
def surroundings(ctx: Context, variable: str):
    return {
        "environ": os.environ.get(variable),
        "env": ctx.env.get(variable),
        "job_id": ctx.job_id,
        "work_dir": ctx.work_dir,
        "cwd": os.getcwd(),
        "stdin": sys.stdin.read(),
        "scope": os.environ.get("PLUGIN_RUNNER_SCOPE"),
    }


@action
def keep_file(ctx: Context, path: str):
    if not os.path.isabs(path):
        with open(os.path.join(ctx.work_dir, path), "w") as file:
            file.write("abc")
    return ctx.artifact(path, metadata={"kind": "test"})


@action
async def later(ctx: Context, seconds: float = 0):
    import asyncio

    await asyncio.sleep(seconds)
    ctx.raise_if_cancelled()
    return "later"


@action
def wait_for_cancel(ctx: Context):
    import time

    print("waiting")
    while not ctx.cancelled:
        time.sleep(0.005)
    ctx.raise_if_cancelled()


@action
def inherited():
    """What the descriptors are that a subprocess gets, beside the standard ones."""
    program = """
import os
paths = [f"/proc/self/fd/{fd}" for fd in range(3, 50)]
print(*[os.readlink(path) for path in paths if os.path.exists(path)])
"""
    return subprocess.run([sys.executable, "-S", "-c", program], close_fds=False, capture_output=True).stdout.decode()


@action
def own_signal():
    import signal

    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    return seen == [signal.SIGUSR1]


@action
def return_on_cancel(ctx: Context):
    """Returns what it has when it is told to stop."""
    import time

    print("waiting", flush=True)
    while not ctx.cancelled:
        time.sleep(0.01)
    return "so far"
