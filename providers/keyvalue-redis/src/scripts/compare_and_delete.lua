-- KEYS: the key. ARGV: what is expected.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then return {0, current} end
redis.call('UNLINK', KEYS[1])
return {1, false}
