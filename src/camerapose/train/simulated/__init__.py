"""Training of `BodyModel` on simulated detections (`data.augment.engine`)."""
