/**
 * What a Redis does about one lock, each in one step.
 *
 * KEYS 1 the lock, 2 its last fencing token · ARGV 1 the value of the lease.
 * The token is the server's time in µs, or one more than the last: a Redis that has forgotten the last one goes on
 * above it all the same. So a day suffices to remember it.
 */
const FENCE_TTL_MS = 86_400_000;

/** ARGV 2 time to live in ms. Returns the fencing token, or nil when somebody else holds it. */
export const TAKE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return false end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local last = redis.call('GET', KEYS[2])
if holder and last then return last end
local time = redis.call('TIME')
local token = math.max(time[1] * 1000000 + time[2], (tonumber(last) or 0) + 1)
redis.call('SET', KEYS[2], string.format('%.0f', token), 'PX', ${FENCE_TTL_MS})
return string.format('%.0f', token)`;

/** ARGV 2 time to live in ms. Returns 1, or 0 when it is held no more. */
export const EXTEND = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ${FENCE_TTL_MS})
return 1`;

/** Returns 1, or 0 when it was held no more. */
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/** ARGV 2 a fencing token below which this server shall give none. Returns 1, or 0 when the lock is held no more. */
export const RAISE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or 0) < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ${FENCE_TTL_MS})
end
return 1`;

/** Returns value and remaining ms, or nil when nobody holds it. */
export const HOLDER = `
local holder = redis.call('GET', KEYS[1])
if not holder then return false end
return { holder, redis.call('PTTL', KEYS[1]) }`;
