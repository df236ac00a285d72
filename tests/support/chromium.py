"""The Chromium of this machine, which no package of the project brings."""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)
