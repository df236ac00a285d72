"""Status: the state of the read model in one screen, and what of it needs a person."""

from projector.observe.status.attention import find_attention
from projector.observe.status.read import Status, read_status, read_status_of_servers
from projector.observe.status.render import as_dict, render
from projector.observe.status.servers import find_lost

__all__ = [
    "Status",
    "as_dict",
    "find_attention",
    "find_lost",
    "read_status",
    "read_status_of_servers",
    "render",
]
