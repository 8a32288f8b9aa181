-- KEYS: the key. ARGV: whether something is expected, what, the value, its life or nothing.
local current = redis.call('GET', KEYS[1])
local holds = not current
if ARGV[1] == '1' then holds = current == ARGV[2] end
if not holds then return {0, current} end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
return {1, false}
