-- SPDX-License-Identifier: MIT
-- Arithmetic loops over arrays: the interpreter's own hot paths.
local n = 30000
local composite, primes = {}, 0
for i = 2, n do
	if not composite[i] then
		primes = primes + 1
		for j = i * i, n, i do composite[j] = true end
	end
end
print(primes)

local size = 40
local function matrix(f)
	local m = {}
	for i = 1, size do
		m[i] = {}
		for j = 1, size do m[i][j] = f(i, j) end
	end
	return m
end
local p = matrix(function(i, j) return i + j / 10 end)
local q = matrix(function(i, j) return (i * j) % 7 end)
local trace = 0.0
for i = 1, size do
	for j = 1, size do
		local s = 0.0
		for k = 1, size do s = s + p[i][k] * q[k][j] end
		if i == j then trace = trace + s end
	end
end
print(string.format("%.6f", trace))

local x, hash = 12345, 0
for i = 1, 100000 do
	x = (x * 1103515245 + 12345) & 0x7fffffff
	hash = (hash ~ (x >> 7)) * 16777619 & 0xffffffff
end
print(x, hash)
print(math.maxinteger + 1 == math.mininteger, 1e308 * 10, -(0 / 0) ~= -(0 / 0), 3 | 4.0)
