"""Processing of whole clips: scale, camera, smoothing, gaps, ground plane."""
