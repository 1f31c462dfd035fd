-- One word for all attempts if all have the same answer, else the list.
local function told(answers)
  for place = 2, #answers do
    if answers[place] ~= answers[1] then return answers end
  end
  return answers[1]
end
