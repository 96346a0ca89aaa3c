-- SPDX-License-Identifier: MIT
-- Sorts numbers and strings, over and over. Usage: sort.lua ROUNDS [told]
-- told: each round says that it is over (tests/measure/progress.py)
local state = 1
local function random()
	state = (state * 1103515245 + 12345) % 2147483648
	return state // 65536
end
local check = 0
for round = 1, tonumber(arg[1]) do
	local t = {}
	for i = 1, 20000 do t[i] = random() end
	table.sort(t)
	table.sort(t, function(a, b) return a > b end)
	check = (check * 31 + t[1] + t[10000]) % 1000000007
	if arg[2] then io.write("round\n"):flush() end
end
print(check)
