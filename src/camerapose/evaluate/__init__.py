"""Metrics, test protocols, and the evaluation of a model."""
