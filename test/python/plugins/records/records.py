import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from plugin_runner import Context, action


class Unprintable:
    def __str__(self):
        raise ValueError("no text")


@action
def odd_texts(ctx: Context):
    """Names of files that are no UTF-8, as os.listdir() gives them, wherever a text can be."""
    odd = "\udcff.txt"
    ctx.set_progress(1, 3, odd, message=odd)
    ctx.set_progress(2, 3, odd, message=odd)
    while getattr(ctx._sink, "_pending", None):  # a thread writes it
        time.sleep(0.001)
    ctx.set_metrics({odd: odd}, odd)
    ctx.log_message(odd, odd, name=odd)
    ctx.log(odd, {"name": odd}, file=odd)
    ctx.logger.info(odd)
    ctx.log_message("unprintable", more=Unprintable())
    with open(os.path.join(ctx.work_dir, odd), "w") as file:
        file.write("abc")
    uri = ctx.artifact(odd, metadata={odd: odd})
    ctx.set_progress(3, 3, odd)
    return uri


@action
def long_texts(ctx: Context):
    long = "x" * 5_000_000
    ctx.set_progress(1, 2, long, message=long)
    ctx.set_metrics({"a": 1}, long)
    ctx.log_message(long, long)
    with open(os.path.join(ctx.work_dir, "a.txt"), "w") as file:
        file.write("abc")
    ctx.artifact("a.txt", long, long, {"long": long})
    return "said"


@action
def odd_values(ctx: Context):
    ctx.set_metrics({"__proto__": 1, "loss": float("nan"), "best": float("inf"), "text": "NaN", 5: 2**70}, 5)
    ctx.log_metric(7, "a", 1)
    ctx.log_metric(None, "a", float("-inf"))
    for level in ("warn", 20, None, "error", 15, 25):
        ctx.log_message("level", level)
    ctx.logger.getChild("epoch").getChild("1").info("of a child")
    ctx.logger.getChild("epoch").warning("of a child")
    ctx.logger.info("bad %d", "x")


@action
def said_by_forks(ctx: Context, children: int = 4, lines: int = 100, size: int = 9_000):
    """Children write lines beyond what a pipe takes at once, while the result is far beyond it."""
    fork = multiprocessing.get_context("fork")
    started = [
        fork.Process(target=_say, args=(ctx, str(number), lines, size), daemon=True) for number in range(children)
    ]
    for child in started:
        child.start()
    for child in started:
        child.join()
    rest = fork.Process(target=_say, args=(ctx, "rest", 1_000_000, size), daemon=True)
    rest.start()
    _say(ctx, "parent", lines, size)
    rest.kill()  # whatever it was about to write
    rest.join()
    return "r" * 90_000


def _say(ctx, name, lines, size):
    for line in range(lines):
        ctx.log_message(f"{name} {line} {name * size}"[:size])


@action
def progress_of_a_fork(ctx: Context):
    ctx.set_progress(2, 10)
    child = multiprocessing.get_context("fork").Process(target=_advance, args=(ctx,))
    child.start()
    child.join()
    return "done"


def _advance(ctx):
    for turn in range(1_000):
        ctx.set_progress(3 + turn / 1_000, 10)
    ctx.set_progress(10, 10)


@action
def said_by_a_spawned(ctx: Context):
    ctx.logger.info("parent")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        before, after = list(pool.map(_spawned, [ctx, ctx]))
    return after - before


def _spawned(ctx):
    ctx.logger.info("spawned")
    ctx.set_progress(1, 2)
    ctx.set_progress(2, 2)
    return len(os.listdir("/proc/self/fd"))


@action
def half_a_line(ctx: Context):
    """A child is killed while it writes; the result comes right after it."""
    pid = os.fork()
    if pid == 0:
        ctx._sink._shared.__enter__()
        os.write(ctx._sink._fd, b'{"time":1,"type":"log","source":"LOG')
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    return "whole"


@action
def told_in_order(ctx: Context, rounds: int = 200):
    """Says things in every way there is; returns what it said."""
    said = []
    for turn in range(rounds):
        print(f"out {turn}")
        ctx.log_message(f"log {turn}")
        print(f"err {turn}", file=sys.stderr)
        os.write(1, f"raw {turn}\n".encode())
        ctx.set_metrics({"turn": turn})
        said += [f"out {turn}", f"log {turn}", f"err {turn}", f"raw {turn}", "metrics"]
    for turn in range(rounds):
        print(f"run {turn}")  # the same over and over
        said.append(f"run {turn}")
    ctx.set_progress(1, 2)
    subprocess.run(["echo", "program"])
    os.write(1, b"one ")
    print("line")
    ctx.logger.info("end")
    return [*said, "progress", "program", "one line", "end"]


@action
def redirected(ctx: Context):
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
    print("nowhere")
    os.dup2(2, 1)
    print("to stderr")
    os.dup2(kept, 1)
    os.close(kept)
    signal.signal(signal.SIGALRM, lambda number, frame: print("rang", file=sys.stderr))
    for _ in range(100):
        signal.raise_signal(signal.SIGALRM)
        print("work")
    os.closerange(3, 100)
    print("said", sys.stdout.fileno(), sys.stdout.isatty())
    return "told"


@action
def pooled(ctx: Context):
    """Lines beyond what a pipe takes at once, and a pool that is left with work in it."""
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(_print_long, range(300))
        pool.apply_async(time.sleep, (60,))
    return "r" * 90_000


def _print_long(number):
    print(f"{number} " + "x" * 9_000)


@action
def crowded(ctx: Context, lines: int = 5_000):
    ctx.set_progress(1, 3)
    for line in range(lines):
        print("a line of no interest", line)
    ctx.set_metrics({"loss": 0.5, "best": float("nan")})
    ctx.set_progress(2, 3)
    for turn in range(lines):
        ctx.set_metrics({"loss": turn}, "train")
        ctx.set_metrics({"accuracy" if turn % 2 else "recall": turn}, "train")
    ctx.log_message("a log of no interest")
    with open(os.path.join(ctx.work_dir, "model"), "w") as file:
        file.write("abc")
    ctx.artifact("model")
    ctx.set_progress(3, 3)
    return "done"
