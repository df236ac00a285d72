"""Status: the state of the read model, in short and in full, and what of it needs a person."""

from projector.observe.status.attention import find_attention
from projector.observe.status.read import Status, read_status
from projector.observe.status.render import as_dict, render, summarize

__all__ = [
    "Status",
    "as_dict",
    "find_attention",
    "read_status",
    "render",
    "summarize",
]
