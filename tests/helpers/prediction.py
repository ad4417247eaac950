"""Run predictions in tests."""

from types import SimpleNamespace

import numpy as np

from camerapose.infer.options import PredictOptions
from camerapose.infer.pipeline import predict, silent
from helpers.fakes import Detector


def run(source, out, graph, *, log=silent, **options):
    """Predict without figure and with the network's scale, unless a test requires them."""
    defaults = {"figure": False, "height": 0.0, "weights": graph, "threads": 1}
    return predict(source, out, PredictOptions(**defaults | options), progress=False, log=log)


class NoisyDetector(Detector):
    """Adds noise that differs from frame to frame."""

    count = 0

    def __call__(self, image, *, track=False):
        NoisyDetector.count += 1
        noise = np.random.default_rng(NoisyDetector.count).normal(size=(17, 2))
        people = super().__call__(image, track=track)
        return [SimpleNamespace(**vars(p) | {"keypoints": p.keypoints + noise}) for p in people]


class ScriptedDetector(Detector):
    """Returns, for each frame of a video, the people in a list."""

    people = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.frame = -1

    def __call__(self, image, *, track=False):
        self.frame += 1
        return list(self.people[self.frame]) if self.frame < len(self.people) else []
