"""What a run waits for that has no worker yet, in words."""

from __future__ import annotations

from typing import Any

import ray

_NAMES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}


def why_waiting(options: dict[str, Any], max_workers: int, full: bool) -> str:
    """`options` are those of the actor, `full` says that there may be no further one."""
    asked = {_NAMES[key]: float(options[key]) for key in _NAMES if options.get(key)}
    asked.update((name, float(amount)) for name, amount in options.get("resources", {}).items() if amount)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(_lacking(asked, node) == [] for node in nodes):
        largest = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in asked}
        lacking = _lacking(asked, largest)
        if not lacking:
            return f"waiting for resources that no node of the Ray cluster has together: {_listed(asked)}"
        had = ", ".join(f"{_amount(name, asked[name])} asked, {_amount(name, largest[name])} there" for name in lacking)
        return f"waiting for resources that no node of the Ray cluster has: {had}"
    if full:
        return f"waiting for one of {max_workers} workers"
    if _lacking(asked, ray.available_resources()):
        return f"waiting for resources of the Ray cluster that others use: {_listed(asked)}"
    if "runtime_env" in options:
        return "waiting for a worker on Ray, and for its environment to be set up"
    return "waiting for a worker to be started on Ray"


def _lacking(asked: dict[str, float], there: dict[str, float]) -> list[str]:
    return [name for name, amount in asked.items() if amount > there.get(name, 0.0)]


def _listed(asked: dict[str, float]) -> str:
    return ", ".join(_amount(name, amount) for name, amount in asked.items())


def _amount(name: str, amount: float) -> str:
    return f"{amount / 1024**2:.0f} MiB memory" if name == "memory" else f"{amount:g} {name}"
