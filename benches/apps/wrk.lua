-- wrk's numbers as JSON, in the last line.
done = function(summary, latency)
  local errors = 0
  for _, count in pairs(summary.errors) do errors = errors + count end
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "errors": %d, "p50": %f, "p99": %f}\n',
    summary.requests, summary.duration, errors, latency:percentile(50), latency:percentile(99)))
end
