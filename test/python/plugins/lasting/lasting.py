"""Actions that change what lasts longer than they do: their process, their directory, their forked children."""

import _thread
import asyncio
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

from plugin_runner import Context, action

os.environ["SET_AT_LOAD"] = "stays"


@action
def change_all():
    os.chdir("/")
    os.environ["LEAK"] = "x"
    del os.environ["SET_AT_LOAD"]
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stdout.close()
    sys.stderr = None
    warnings.simplefilter("error")
    logging.basicConfig(level=logging.DEBUG)
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 60)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    sys.setrecursionlimit(5000)
    os.umask(0o077)
    sys.path.insert(0, "/leak")
    sys.excepthook = print


def _block_and_raise():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.raise_signal(signal.SIGTERM)


_SETTING_OFF = {
    "alarm": lambda: signal.alarm(60),
    "real": lambda: signal.setitimer(signal.ITIMER_REAL, 60),
    "virtual": lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 60),
    "profiling": lambda: signal.setitimer(signal.ITIMER_PROF, 60, 60),
    "mask": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]),
    "pending": _block_and_raise,
}


@action
def set_off(what: str):
    """Leaves a signal that has yet to come."""
    _SETTING_OFF[what]()


@action
def signals():
    timers = [signal.getitimer(each) for each in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)]
    return [timers, len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), len(signal.sigpending())]


@action
def look():
    print("printed")
    print("said", file=sys.stderr)
    return {
        "cwd": os.getcwd(),
        "variables": [os.environ.get(name) for name in ("LEAK", "SET_AT_LOAD", "TZ")],
        "zone": time.tzname[0],
        "stdin": sys.stdin.read(),
        "filters": len(warnings.filters),
        "logging": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
        "handlers": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGALRM)],
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0],
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "recursion": sys.getrecursionlimit(),
        "umask": oct(_umask()),
        "path": "/leak" in sys.path,
        "excepthook": sys.excepthook is sys.__excepthook__,
    }


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@action
def artifacts(ctx: Context, contents: list):
    """One artifact for each text, all of one file."""
    file = Path(ctx.work_dir, "model.txt")
    uris = []
    for content in contents:
        assert os.listdir(ctx.work_dir) in ([], ["model.txt"])
        file.write_text(content)
        uris.append(ctx.artifact("model.txt"))
    return {"work_dir": ctx.work_dir, "uris": uris}


@action
def fork(ctx: Context, how: str, mark: str):
    """What a forked child does when it comes back; the parent returns how it ended."""
    pid = os.fork()
    if pid == 0:
        Path(mark).write_text(ctx.work_dir)
        if how == "raise":
            raise ValueError("in the child")
        if how == "exit":
            sys.exit(3)
        return "child"
    status = os.waitpid(pid, 0)[1]
    return [os.WEXITSTATUS(status), os.path.isdir(Path(mark).read_text())]


@action
async def fork_async(mark: str):
    pid = os.fork()
    if pid == 0:
        Path(mark).write_text("")
        return "child"
    os.waitpid(pid, 0)
    return "parent"


@action
def terminate():
    """A process that is told to end before its time."""
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    process.terminate()
    process.join(20)
    return process.exitcode


@action
def wait(ctx: Context, mark: str):
    print("waiting", flush=True)
    try:
        time.sleep(60)
    finally:
        Path(mark).write_text("cleaned up")


@action
async def wait_async(mark: str):
    print("waiting", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.01)
        Path(mark).write_text("cleaned up")
        raise


@action
def save_slowly(ctx: Context, mark: str):
    """Has looked, so that it is let be."""
    print("waiting", flush=True)
    while not ctx.cancelled:
        time.sleep(0.005)
    time.sleep(0.7 * float(ctx.env["GRACE"]))
    Path(mark).write_text("cleaned up")
    ctx.raise_if_cancelled()


@action
async def leave_stubborn_task():
    async def stubborn():
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    return "left" if task.done() else "done"


@action
def print_from_c(fails: bool = False):
    import ctypes

    ctypes.CDLL(None).printf(b"from C\n")
    if fails:
        raise ValueError("after that")


@action
def started():
    """What a process has only from its start."""
    import only_on_path

    return [time.tzname[0], hash("a") % 1000, sys.warnoptions, only_on_path.WHERE, os.environ["PYTHONPATH"]]


@action
def end_with_a_worker(ctx: Context):
    """Needs the process that it forked until it has ended in its own way."""
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    process.start()
    program = subprocess.Popen([sys.executable, "-c", "print('program', flush=True); input()"], stdin=subprocess.PIPE)
    while not ctx.cancelled:
        time.sleep(0.005)
    ended = program.wait(20)
    alive = process.is_alive()
    process.terminate()
    return [alive, ended]


@action
def interrupted():
    """As by a thread that an earlier call has left."""
    thread = threading.Thread(target=_thread.interrupt_main)
    thread.start()
    thread.join()
    time.sleep(60)


_gate = threading.Event()
_threads = []


@action
def leave_thread():
    """Leaves a thread that fails during the next call."""

    def fail():
        _gate.wait()
        raise ValueError("late")

    _threads.append(threading.Thread(target=fail))
    _threads[0].start()
    return "returned"


@action
def innocent():
    _gate.set()
    for thread in _threads:
        thread.join()
    return "innocent"
