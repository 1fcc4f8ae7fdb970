from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from processes import LIBRARY, PLUGINS, SECONDS, binding, of


def test_a_job_on_ray_is_started_with_what_is_read_at_a_start(tmp_path: Path) -> None:
    """As Ray starts its driver: in the plugin's folder, with the spec on the path and its output among the logs."""
    for name in ("logs", "modules"):
        (tmp_path / name).mkdir()
    plugin = shutil.copytree(PLUGINS / "lasting", tmp_path / "plugin")
    (plugin / "selectors.py").write_text("raise ImportError('this is what the supervisor was to import')")
    start_env = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "PYTHONWARNINGS": "error", "PYTHONPATH": "lib"}
    spec = {
        "protocol": 1,
        "job_id": "job-1",
        "binding": {**binding("lasting"), "root": ""},
        "action": "a",
        "entrypoint": "lasting:started",
        "params": {},
        "env": start_env,
        "start_env": start_env,
        "timeout_seconds": None,
        "grace_seconds": 0.3,
        "memory_mib": None,
        "output_limit_bytes": 1 << 20,
        "max_events": 100_000,
        "line_limit_bytes": 1000,
        "result_limit_bytes": 100_000,
        "work_dir": "",
        "scope": f"scope-{os.getpid()}",
    }
    (tmp_path / "modules" / "plugin_runner_job_1.json").write_text(json.dumps(spec))
    path = os.pathsep.join([str(LIBRARY), str(tmp_path / "modules"), str(plugin)])
    with open(tmp_path / "logs" / "job-driver-1.log", "wb") as output:
        driver = subprocess.run(
            [sys.executable, "-m", "plugin_runner.ray_job", "1"],
            cwd=plugin,
            env={**os.environ, "PYTHONPATH": path},
            stdout=output,
            timeout=SECONDS,
        )
    assert driver.returncode == 0
    events = (tmp_path / "logs" / "plugin-runner-1.events").read_text().split("\n")
    records = [json.loads(line) for line in events if line]
    assert of(records, "error") == []
    zone, hashed, warnings, where, shown = of(records, "result")[0]["value"]
    plain = subprocess.run(
        [sys.executable, "-c", "print(hash('a') % 1000)"], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True
    )
    assert (zone, warnings, where, shown) == ("JST", ["error"], "lib", "lib")
    assert hashed == int(plain.stdout)
