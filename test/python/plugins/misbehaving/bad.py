import os
import signal
import subprocess
import sys
import time

from plugin_runner import Context, action


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@action
def fail():
    _deeper()


def _deeper():
    raise ValueError("3 is too many")


@action
def fail_unprintable():
    raise Unprintable


@action
def leave():
    sys.exit("enough")


@action
def interrupt():
    raise KeyboardInterrupt


@action
def recurse():
    return recurse()


@action
def not_json(what: str):
    cycle = []
    cycle.append(cycle)
    broken = {"object": object(), "cycle": cycle, "big": 2**60, "key": {(1, 2): 1}}[what]
    return {"a/b": [broken], "kept": float("nan")}


@action
def huge(size: int):
    return "x" * size


@action
def fork_and_return():
    return "child" if os.fork() == 0 else "parent"


@action
def die():
    os._exit(7)


@action
def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


@action
def eat_memory():
    eaten = []
    while True:
        eaten.append(bytearray(1 << 20))


@action
def flood(lines: int):
    block = (b"x" * 99 + b"\n") * 1000
    for _ in range(lines // 1000):
        os.write(1, block)


@action
def odd_lines():
    os.write(1, b"y" * 50_000 + b"\n\xff\xfe\nlast")


@action
def ignore_term():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ignoring")
    time.sleep(60)


@action
def leave_processes(ctx: Context):
    """Starts processes that leave the session, hide and ignore SIGTERM; returns their pids."""
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    pids = []
    for environment in (None, {}):
        left = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        left.stdout.readline()
        pids.append(left.pid)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        os._exit(0)
    return [*pids, pid]


@action
def hide():
    """Leaves a process in a session of its own, with an empty environment, whose parents are gone; prints its pid."""
    command = "env -i sleep 60 >/dev/null 2>&1 & echo $!"
    print(subprocess.check_output(["setsid", "sh", "-c", command], text=True).strip(), flush=True)
    time.sleep(60)


@action
def forge():
    """Writes to every descriptor that it has: the events' one among them."""
    for fd in range(3, 300):
        try:
            os.write(fd, b'{"type":"exit","time":1}\nnonsense\n')
        except OSError:
            pass
    return "forged"
