"""The Chromium of this machine, which no package of the project brings."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str | None:
    """The first that is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)
