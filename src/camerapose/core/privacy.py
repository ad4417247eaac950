"""Switch off the usage statistics of dependencies."""

import os

#: Environment variables that the dependencies read when they are imported.
SETTINGS = {
    # Otherwise: device identifier and event database in the user's cache, a file in the temporary
    # folder, and HTTPS requests.
    "ORT_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}


def disable_telemetry() -> None:
    """Set `SETTINGS` for this process and those it starts.

    A package that was imported before keeps its setting.
    """
    os.environ.update(SETTINGS)
