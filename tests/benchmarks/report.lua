-- What a run of wrk found, as one line of JSON.
done = function(summary, latency, requests)
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "failed": %d}\n',
        summary.requests, summary.duration / 1e6,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status
            + summary.errors.timeout
    ))
end
