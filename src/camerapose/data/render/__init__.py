"""Software rendering of clothed bodies in front of backgrounds, without a GPU or a display."""
