"""The action `infer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import joblib
import numpy as np
from plugin_runner import Context, action

from plugin.images import IMAGE_SCALE, load_images


@action
def infer(model: str, indices: list[int], image: list[list[float]] | None = None, *, ctx: Context) -> dict[str, Any]:
    """Reads digits from images with a trained classifier."""
    classifier = load_model(model)
    if image is not None:
        return {"predictions": predict(classifier, np.reshape(image, (1, 64)) / IMAGE_SCALE)}

    images, labels = load_images()
    ctx.log_message(f"Reading {len(indices)} images.")
    predictions = predict(classifier, images[indices])
    for prediction, index in zip(predictions, indices):
        prediction.update(index=index, label=int(labels[index]))
    right = sum(prediction["digit"] == prediction["label"] for prediction in predictions)
    return {"predictions": predictions, "accuracy": right / len(predictions)}


def load_model(model: str) -> Any:
    path = Path(unquote(urlsplit(model).path) if model.startswith("file:") else model)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model at {model}. Run the action train and pass the model it returns.")
    # A joblib file can run code when it is loaded: give this action only files that you trust.
    return joblib.load(path)


def predict(classifier: Any, images: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"digit": int(row.argmax()), "probability": float(row.max()), "probabilities": row.tolist()}
        for row in classifier.predict_proba(images)
    ]
