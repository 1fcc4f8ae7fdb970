from plugin_runner import action


@action
def broken(:
    pass
