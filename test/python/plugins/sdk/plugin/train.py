import os
import time

from pydantic import BaseModel, Field, field_validator
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.decorators import action
from synapse_sdk.plugins.errors import ExecutionError
from synapse_sdk.plugins.models.logger import LogLevel


class TrainParams(BaseModel):
    """How to train."""

    epochs: int = Field(default=2, ge=1, description="Passes over the data")
    name: str

    @field_validator("name")
    @classmethod
    def known(cls, value, info):
        assert "client" in info.context
        if value == "bad":
            raise ValueError("no such model")
        return value.upper()


class TrainResult(BaseModel):
    loss: float


class TrainAction(BaseAction[TrainParams]):
    action_name = "train"
    result_model = TrainResult

    def execute(self):
        for i in range(self.params.epochs):
            self.set_progress(i + 1, self.params.epochs, "train")
            self.set_metrics({"loss": 1 / (i + 1)}, "train")
        self.log("checkpoint", {"epoch": 1}, file="a.pt")
        self.log_message("Done.", LogLevel.SUCCESS)
        self.log_metric("validation", "epoch", 3, val_loss=0.5)
        self.logger.warning("careful")
        self.ctx.log_dev_event("dev", {"x": 1})
        self.ctx.end_log()
        self.ctx.log_visualization("a", "b", 1, "/x.png", k=1)
        self.ctx.log_message({"en": "n {count}"}, count=3)
        print(self.ctx.env.get_str("E"), self.ctx.job_id)
        return TrainResult(loss=0.5) if self.params.epochs < 3 else {"wrong": 1}


@action(params=TrainParams, description="As a function")
def infer(params: TrainParams, context):
    context.set_progress(1, 1)
    return {"name": params.name}


class ReportAction(BaseAction[TrainParams]):
    def execute(self):
        with open("plot.png", "wb") as file:
            file.write(b"png")
        try:
            self.set_progress(1, 4, "draw")
            self.ctx.logger.set_progress_failed("draw")
            self.log("report", {"kind": "plot"}, file="plot.png")
            self.log_visualization("train", "epoch_1", 0, "plot.png", score=1)
            self.set_metrics({"a": 1}, "s")
            self.set_metrics({"b": 2}, "s")
        finally:
            os.unlink("plot.png")
        return [self.action_name, str(self.category)]


class WaitAction(BaseAction[TrainParams]):
    def execute(self):
        print("waiting", flush=True)
        try:
            while True:
                time.sleep(0.01)
                self.set_progress(1, 2)
        finally:
            self.log_message("cleaned up")


class RefuseAction(BaseAction[TrainParams]):
    def execute(self):
        raise ExecutionError("no", details={"why": ["because", 1]})
