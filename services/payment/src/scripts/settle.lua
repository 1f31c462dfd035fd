-- @include numbers
-- @include tombstones_of
-- What confirm.lua and cancel.lua have in common: reads what is held for the attempts, with users and payments. It
-- stands where they say so.
local deadlines, txs = numbers(ARGV[2]), { unpack(ARGV, 3) }
local held = call('HMGET', KEYS[1], unpack(txs))
local ended = tombstones_of(txs, held)

-- What is held for each attempt; nothing where its record is of a later release. And the keys of it, each once.
local parts, keys, place_of = {}, {}, {}
local function place_for(key)
  if not place_of[key] then
    keys[#keys + 1] = key
    place_of[key] = #keys
  end
  return place_of[key]
end
for place = 1, #txs do
  local record = held[place]
  if record and byte(record) == RECORD.VERSION then
    local amount, user, payment, _, incarnation = read('<dBc0Bc0Bc0', record, RESERVATION.AMOUNT_AT)
    parts[place] = { user = place_for(user), payment = place_for(payment), amount = amount,
      incarnation = sub(record, incarnation) }
  end
end

local records = #keys > 0 and call('MGET', unpack(keys)) or {}

-- Whether user or payment cannot be written by this release.
local function is_newer(part)
  local user, payment = records[part.user], records[part.payment]
  return not user or byte(user) ~= RECORD.VERSION or payment and byte(payment) ~= RECORD.VERSION
end

-- Whether a payment is reserved for this attempt: one of another incarnation of the user or the order is not.
local function is_reserved(part)
  local payment = records[part.payment]
  if not payment then return false end
  local state, _, place = read('<Bc0Bc0', payment, PAYMENT.STATE_AT)
  return state == STATE.RESERVED and sub(payment, place) == part.incarnation
end

local changes = {}
local function change(place, record)
  changes[#changes + 1] = keys[place]
  changes[#changes + 1] = record
end
