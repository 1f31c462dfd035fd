-- What scripts have in common that are asked by many attempts in one call. It stands where such a script says so.
local call = redis.call

-- When the tombstone of an attempt ends, 70 s after its deadline. Attempts that began together have one deadline, and
-- numbers are dear to write.
local endings = {}
local function ending(deadline)
  local ends = endings[deadline]
  if not ends then
    ends = string.format('%.0f', deadline + 70000)
    endings[deadline] = ends
  end
  return ends
end

-- Whether a hash is of a later release.
local known = {}
local function is_newer(key)
  if known[key] == nil then known[key] = call('HEXISTS', key, 'v') == 1 end
  return known[key]
end

-- What goes into sorted sets at the end, or out of them: by set, a list to which is added what `listed` gives.
local members = {}
local function listed(set)
  local list = members[set]
  if not list then
    list = {}
    members[set] = list
  end
  return list
end
