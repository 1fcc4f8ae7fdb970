import helper  # noqa: F401
