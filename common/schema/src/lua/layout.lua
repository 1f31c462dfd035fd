-- The fields of the kind of record that lies under a key: see record.rs of common/schema. Nothing for other keys.
local layouts = {}
local function layout(key)
  local kind = string.match(key, '^{[^}]+}:(%a+):')
  if kind and not layouts[kind] then
    layouts[kind] = kind == KEY.ITEM and { numbers = ITEM.NUMBERS, texts = ITEM.TEXTS }
      or kind == KEY.USER and { numbers = USER.NUMBERS, texts = USER.TEXTS }
      or kind == KEY.PAYMENT and { numbers = PAYMENT.NUMBERS, texts = PAYMENT.TEXTS }
      or kind == KEY.ORDER and { numbers = ORDER.NUMBERS, texts = ORDER.TEXTS }
  end
  return layouts[kind]
end
