-- KEYS: the list. ARGV: where to begin, how many, bytes that the answer has room for.
local length = redis.call('LLEN', KEYS[1])
local first, room = tonumber(ARGV[1]), tonumber(ARGV[3])
if first < 0 then first = math.max(length + first, 0) end
local last = math.min(first + tonumber(ARGV[2]), length) - 1
local values = {}
-- In steps, so that no more is held than the answer and one step.
for from = first, last, 128 do
  for _, value in ipairs(redis.call('LRANGE', KEYS[1], from, math.min(from + 127, last))) do
    room = room - #value
    if room < 0 then return {length, values} end
    values[#values + 1] = value
  end
end
return {length, values}
