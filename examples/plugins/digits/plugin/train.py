"""The action `train`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import joblib
import numpy as np
from plugin_runner import BaseAction
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from plugin.images import load_images

DIGITS = np.arange(10)


@dataclass
class TrainParams:
    """What to train, and for how long."""

    model: Annotated[Literal["mlp", "linear"], "A neural network with one hidden layer, or a linear model."] = "mlp"
    epochs: Annotated[int, "How often to go through the images, from 1 to 1000."] = 20
    test_fraction: Annotated[float, "The part of the images that is kept to test the model, from 0.05 to 0.5."] = 0.25
    seed: Annotated[int, "Makes the same model again."] = 0

    def __post_init__(self) -> None:
        if not 1 <= self.epochs <= 1000:
            raise ValueError("epochs must be from 1 to 1000")
        if not 0.05 <= self.test_fraction <= 0.5:
            raise ValueError("test_fraction must be from 0.05 to 0.5")


class TrainAction(BaseAction[TrainParams]):
    """Trains a classifier, epoch by epoch, and writes it to a file."""

    params_model = TrainParams

    def execute(self) -> dict[str, Any]:
        params, ctx = self.params, self.ctx
        images, labels = load_images()
        learn, test = train_test_split(
            np.arange(len(labels)), test_size=params.test_fraction, random_state=params.seed, stratify=labels
        )
        ctx.log_message(f"Training {params.model} on {len(learn)} images; {len(test)} are kept to test it.")

        model = new_model(params)
        accuracy = 0.0
        for epoch in range(1, params.epochs + 1):
            ctx.raise_if_cancelled()
            model.partial_fit(images[learn], labels[learn], classes=DIGITS)
            loss = log_loss(labels[test], model.predict_proba(images[test]), labels=DIGITS)
            accuracy = float(model.score(images[test], labels[test]))
            ctx.set_metrics({"loss": float(loss), "accuracy": accuracy}, step=f"epoch {epoch}")
            ctx.set_progress(epoch, params.epochs, step="train", message=f"accuracy {accuracy:.1%}")

        path = Path(ctx.work_dir, "model.joblib")
        joblib.dump(model, path)
        uri = ctx.artifact(path, metadata={"model": params.model, "accuracy": accuracy})
        return {"model": uri, "accuracy": accuracy, "epochs": params.epochs, "test_indices": sorted(test)}


def new_model(params: TrainParams) -> MLPClassifier | SGDClassifier:
    # A generator, not a number: with a number every epoch would shuffle the images alike.
    random = np.random.RandomState(params.seed)
    if params.model == "linear":
        return SGDClassifier(loss="log_loss", random_state=random)
    return MLPClassifier(hidden_layer_sizes=(64,), learning_rate_init=0.005, random_state=random)
