-- Sends the prepared requests one after another, with a pause of so many milliseconds if one is given, and prints what wrk has counted as one line of JSON.
local sent = 0
local ready = {}

function init(arguments)
  for _, one in ipairs(dofile(arguments[1])) do
    local headers = { ["X-API-Key"] = one.key, ["Host"] = "bench" }
    if one.body then headers["Content-Type"] = "application/json" end
    ready[#ready + 1] = wrk.format(one.method, one.path, headers, one.body)
  end
  local pause = tonumber(arguments[2])
  if pause then delay = function() return pause end end
end

function request()
  sent = sent % #ready + 1
  return ready[sent]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "us": %d, "bytes": %d, "refused": %d, "connect": %d, "read": %d, "write": %d, '
      .. '"timeout": %d, "mean": %.1f, "p50": %d, "p90": %d, "p99": %d, "max": %d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status, errors.connect, errors.read, errors.write,
    errors.timeout, latency.mean, latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
