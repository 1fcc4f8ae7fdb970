"""The data set."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

IMAGE_SCALE = 16.0


def load_images() -> tuple[np.ndarray, np.ndarray]:
    """Returns 1,797 images as rows of 64 numbers from 0 to 1, and the digit that each shows."""
    digits = load_digits()
    return digits.data / IMAGE_SCALE, digits.target
