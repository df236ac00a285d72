"""The texts of the demo: one JSON file a subject, so that they can be changed without touching code."""

import json
from importlib import resources
from typing import Any


def load_texts(subject: str) -> Any:  # noqa: ANN401  # Each reader declares the shape of its own file.
    """Return the contents of `<subject>.json` in this folder."""
    return json.loads(resources.files(__name__).joinpath(f"{subject}.json").read_text("utf-8"))
