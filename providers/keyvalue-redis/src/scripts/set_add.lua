-- KEYS: the set. ARGV: most members that it may have, and the members. -1 where they would be more.
local most = tonumber(ARGV[1])
local added = {}
for at = 2, #ARGV do
  if redis.call('SADD', KEYS[1], ARGV[at]) == 1 then added[#added + 1] = ARGV[at] end
end
if redis.call('SCARD', KEYS[1]) > most then
  for _, member in ipairs(added) do redis.call('SREM', KEYS[1], member) end
  return -1
end
return #added
