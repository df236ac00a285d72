"""The counters of the API. They count in this process; `metrics` adds up those of several workers.

prometheus_client looks for the folder that workers share when it is imported. So the main process must not import this
module before it has set that folder.
"""

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# Operators do not need the start of each count, which would double the series.
disable_created_metrics()  # type: ignore[no-untyped-call]

SECONDS = Histogram(
    "leads_api_request_seconds",
    "Requests, and the time from the arrival of each to its answer.",
    ["route", "status"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
RESPONSES = Counter("leads_api_responses", "Answers by their status code.", ["code"])
IN_FLIGHT = Gauge(
    "leads_api_requests_in_flight",
    "Requests that are being answered, a scrape of this page among them.",
    multiprocess_mode="livesum",
)
STREAMS = Gauge("leads_api_streams", "Event streams that are open.", multiprocess_mode="livesum")
CONNECTIONS_IN_USE = Gauge(
    "leads_api_pool_connections_in_use",
    "Connections to the database that a request holds.",
    multiprocess_mode="livesum",
)
CONNECTIONS_WAITING = Gauge(
    "leads_api_pool_waiting",
    "Requests that wait for a connection to the database, or for one to be opened.",
    multiprocess_mode="livesum",
)
RATE_LIMITED = Counter("leads_api_rate_limited", "Requests that were refused by the rate limit.")
STORE_FAILURES = Counter(
    "leads_api_rate_limit_store_failures",
    "Times that the store of the rate limit did not answer, after which a process counts alone for a while.",
)
ANSWERS_HITS = Counter("leads_api_answers_hits", "Answers that were given again from memory.")
ANSWERS_MISSES = Counter("leads_api_answers_misses", "Answers that were read, and kept in memory.")
ANSWERS_BYTES = Gauge(
    "leads_api_answers_bytes", "Memory that kept answers take, about.", multiprocess_mode="livesum"
)


# Cached, because looking up a child takes longer than counting.
@lru_cache(maxsize=512)
def _children(route: str, code: int) -> tuple[Histogram, Counter]:
    return SECONDS.labels(route, f"{code // 100}xx"), RESPONSES.labels(code)


def count_response(route: str, code: int, seconds: float) -> None:
    """Count an answer and its time by the pattern of its path and by its status code."""
    histogram, counter = _children(route, code)
    histogram.observe(seconds)
    counter.inc()
