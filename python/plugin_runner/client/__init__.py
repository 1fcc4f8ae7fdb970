"""The client of the plugin-runner service: see docs/python-client.md. Needs grpcio."""

from plugin_runner.client.async_client import AsyncClient
from plugin_runner.client.async_job_handle import AsyncJobHandle
from plugin_runner.client.client import Client
from plugin_runner.client.errors import (
    ActionNotFoundError,
    ExecutionError,
    Reason,
    RunnerError,
    ValidationError,
    Violation,
)
from plugin_runner.client.function import run_plugin
from plugin_runner.client.job_handle import JobHandle
from plugin_runner.client.progress import ProgressBars, show_progress
from plugin_runner.client.requests import Mode, State
from plugin_runner.client.responses import Verdict
from plugin_runner.client.server_process import PrivateServer, private_server
from plugin_runner.client.tls import Tls
from plugin_runner.client.values import to_python
from plugin_runner.client.warned import ParamsWarning
from plugin_runner.client.watch import JobRemoved
from pluginrunner.v1.job_event_pb2 import JobEvent
from pluginrunner.v1.job_pb2 import Job, JobState
from pluginrunner.v1.plugin_pb2 import Action, Plugin, Resources
from pluginrunner.v1.plugin_runner_pb2 import GetServerInfoResponse

__all__ = [
    "Action",
    "ActionNotFoundError",
    "AsyncClient",
    "AsyncJobHandle",
    "Client",
    "ExecutionError",
    "GetServerInfoResponse",
    "Job",
    "JobEvent",
    "JobHandle",
    "JobRemoved",
    "JobState",
    "Mode",
    "ParamsWarning",
    "Plugin",
    "PrivateServer",
    "ProgressBars",
    "Reason",
    "Resources",
    "RunnerError",
    "State",
    "Tls",
    "ValidationError",
    "Verdict",
    "Violation",
    "private_server",
    "run_plugin",
    "show_progress",
    "to_python",
]
