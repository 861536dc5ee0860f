-- Gives wrk the request of a browser and makes it report in JSON.  The request
-- is formatted once: no Lua runs for each request.

local target = os.getenv("BENCH_TARGET")
if target then
    wrk.path = target
end

wrk.headers["Host"] = os.getenv("BENCH_HOST")
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
wrk.headers["Accept-Language"] = "en-US,en;q=0.5"
wrk.headers["Accept-Encoding"] = "gzip, deflate"
wrk.headers["Cookie"] = "session=0123456789abcdef0123456789abcdef"
-- What a browser sends that reloads: no cache may answer without asking then.
if not os.getenv("BENCH_CACHED") then
    wrk.headers["Cache-Control"] = "no-cache"
end
wrk.headers["DNT"] = "1"

-- The mean pause of a connection between two requests, in milliseconds.  Without
-- it a connection asks again at once, and the proxy is as busy as it can be.
local pause = tonumber(os.getenv("BENCH_PAUSE") or "0")
if pause > 0 then
    function delay()
        return math.random(0, 2 * pause)
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\nBENCH {"requests": %d, "octets": %d, "seconds": %.6f, "refused": %d, ' ..
        '"broken": %d, "medianMicroseconds": %d, "p99Microseconds": %d}\n',
        summary.requests, summary.bytes, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
