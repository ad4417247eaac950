"""Figures, video overlay and HTML report."""
