-- KEYS: the list. ARGV: LPOP or RPOP, how many, bytes that the answer has room for.
local pop, count, room = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local index = pop == 'LPOP' and 0 or -1
local taken = {}
for _ = 1, math.min(redis.call('LLEN', KEYS[1]), count) do
  room = room - #redis.call('LINDEX', KEYS[1], index)
  if room < 0 then break end
  taken[#taken + 1] = redis.call(pop, KEYS[1])
end
return taken
