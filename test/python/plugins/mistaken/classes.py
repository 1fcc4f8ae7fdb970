from plugin_runner import BaseAction


class Nothing(BaseAction[dict]):
    pass


class Lonely(BaseAction[dict]):
    def __init__(self):
        pass

    def execute(self):
        return 1


class Open(BaseAction[dict]):
    def __init__(self, *args):
        super().__init__(*args)

    def execute(self):
        return "open"
