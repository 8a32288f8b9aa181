-- KEYS: the sets. ARGV: members and bytes that the answer has room for. Nil where there are more.
local most, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local members, seen = {}, {}
for _, key in ipairs(KEYS) do
  local cursor = '0'
  repeat
    local page = redis.call('SSCAN', key, cursor, 'COUNT', 100)
    cursor = page[1]
    for _, member in ipairs(page[2]) do
      if not seen[member] then
        seen[member] = true
        room = room - #member
        if #members == most or room < 0 then return false end
        members[#members + 1] = member
      end
    end
  until cursor == '0'
end
return members
