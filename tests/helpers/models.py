"""Small networks."""

from camerapose.models.config import ModelConfig

SIZES = ModelConfig("mlp", {"width": 32, "dropout": 0.5}, 16, 16, 1)
