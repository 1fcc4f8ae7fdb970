"""What Ray itself takes, as JSON: a call of a warm actor, calls a second, and a new actor with a package of its own."""

import json
import sys
import time

import ray

package, rounds = sys.argv[1], int(sys.argv[2])
ray.init(address="auto", log_to_driver=False)


@ray.remote(num_cpus=0)
class Echo:
    def echo(self, value):
        return value


def timed(work):
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def median(values):
    return sorted(values)[len(values) // 2]


params = {"text": "The quick brown fox jumps over the lazy dog.", "count": 42}
actor = Echo.remote()
for _ in range(200):
    ray.get(actor.echo.remote(params))
call_ms = median([timed(lambda: ray.get(actor.echo.remote(params))) for _ in range(500)])

start, done = time.perf_counter(), 0
waiting = [actor.echo.remote(params) for _ in range(32)]
while time.perf_counter() - start < 3:
    ready, waiting = ray.wait(waiting)
    done += len(ready)
    ray.get(ready)
    waiting += [actor.echo.remote(params) for _ in ready]
calls_per_second = done / (time.perf_counter() - start)


def first_call():
    new = Echo.options(runtime_env={"working_dir": package}).remote()
    ray.get(new.echo.remote(params))
    ray.kill(new)


first_ms = median([timed(first_call) for _ in range(rounds)])
print(json.dumps({"callMs": call_ms, "callsPerSecond": calls_per_second, "firstMs": first_ms}), flush=True)
