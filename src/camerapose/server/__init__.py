"""The web page of `camerapose serve`."""
