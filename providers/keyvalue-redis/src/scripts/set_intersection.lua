-- KEYS: the sets. ARGV: members and bytes that the answer has room for. Nil where there are more.
local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local smallest, least
for _, key in ipairs(KEYS) do
  -- Each is asked, so that what is no set fails.
  local size = redis.call('SCARD', key)
  if not least or size < least then smallest, least = key, size end
end
local function everywhere(member)
  for _, key in ipairs(KEYS) do
    if redis.call('SISMEMBER', key, member) == 0 then return false end
  end
  return true
end
local members, seen = {}, {}
local cursor = '0'
repeat
  local page = redis.call('SSCAN', smallest, cursor, 'COUNT', 100)
  cursor = page[1]
  for _, member in ipairs(page[2]) do
    if not seen[member] and everywhere(member) then
      seen[member] = true
      room = room - #member
      if #members == most or room < 0 then return false end
      members[#members + 1] = member
    end
  end
until cursor == '0'
return members
