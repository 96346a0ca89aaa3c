-- SPDX-License-Identifier: MIT
-- Calls, closures, coroutines, errors (setjmp underneath), metatables, garbage.
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
print(fib(24))

local function counter()
	local n = 0
	return function(k) n = n + k; return n end
end
local a, b = counter(), counter()
for i = 1, 1000 do a(i); b(-i) end
print(a(0), b(0))

local function permutations(list, n)
	if n == 0 then coroutine.yield(table.concat(list)) end
	for i = 1, n do
		list[n], list[i] = list[i], list[n]
		permutations(list, n - 1)
		list[n], list[i] = list[i], list[n]
	end
end
local seen = 0
for p in coroutine.wrap(function() permutations({ "a", "b", "c", "d", "e", "f" }, 6) end) do
	seen = seen + 1
	if seen % 240 == 1 then print(p) end
end
print(seen)

local depth = 0
local function dive(n)
	depth = depth + 1
	if n == 0 then error({ code = 42 }) end
	return (pcall(dive, n - 1)) and 0 or error("level " .. n, 0)
end
print(pcall(dive, 20))
print(depth, select("#", pcall(error)))
print(pcall(function() local t = nil; return t.x end))

local vector = {}
vector.__index = vector
vector.__add = function(p, q) return setmetatable({ x = p.x + q.x, y = p.y + q.y }, vector) end
vector.__eq = function(p, q) return p.x == q.x and p.y == q.y end
vector.__tostring = function(p) return "(" .. p.x .. "," .. p.y .. ")" end
local v = setmetatable({ x = 0, y = 0 }, vector)
for i = 1, 5000 do v = v + setmetatable({ x = i, y = -i }, vector) end
print(tostring(v), v == v + setmetatable({ x = 0, y = 0 }, vector))

local weak = setmetatable({}, { __mode = "v" })
for i = 1, 1000 do weak[i] = { i } end
collectgarbage()
local alive = 0
for _ in pairs(weak) do alive = alive + 1 end
print(alive)

do
	local closed = {}
	do
		local one <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "one" end })
		local two <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "two" end })
	end
	print(table.concat(closed, " "))
end
goto done
print("never")
::done::
print(math.tointeger(2 ^ 53), 7 // 2, -7 // 2, -7 % 3, 7.5 // 2, 1 << 40, ~0 >> 60)
