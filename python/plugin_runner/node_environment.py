"""What plugins may see of the environment of a Ray node: the same as of a service's. No secrets are among it."""

from __future__ import annotations

import os
import re

_ALLOWED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_.*|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE"
    r"|NODE_EXTRA_CA_CERTS|LD_LIBRARY_PATH|VIRTUAL_ENV|(CUDA|NVIDIA|OMP|OPENBLAS|MKL)_.*"
)
# What a job of Ray needs to be one; its tokens are not needed for that.
_OF_JOBS = re.compile(r"PYTHONPATH|CONDA_.*|RAY_(?!AUTH_).*")


def allowed_environment() -> dict[str, str]:
    """The variables that a worker on the node may see."""
    return {name: value for name, value in os.environ.items() if _ALLOWED.fullmatch(name)}


def keep_to_job_environment() -> None:
    """Takes all variables from this process that a job may not see."""
    for name in list(os.environ):
        if not (_ALLOWED.fullmatch(name) or _OF_JOBS.fullmatch(name)):
            del os.environ[name]
