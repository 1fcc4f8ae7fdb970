from concurrent.futures import ProcessPoolExecutor

from plugin_runner import action


def _in_another_process():
    raise ValueError("in the pool")


@action
def pool():
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(_in_another_process).result()


@action
def debug():
    breakpoint()  # noqa: T100
    return 1


@action
def late():
    import no_such_package_of_mine  # noqa: F401
