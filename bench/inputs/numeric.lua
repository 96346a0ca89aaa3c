-- SPDX-License-Identifier: MIT
-- Arithmetic on arrays: sieve, matrix product, n-body, spectral norm, integer mixing.
-- Usage: numeric.lua ROUNDS
local function sieve(n)
	local composite, primes = {}, 0
	for i = 2, n do
		if not composite[i] then
			primes = primes + 1
			for j = i * i, n, i do composite[j] = true end
		end
	end
	return primes
end

local function matrix(size)
	local a, b, trace = {}, {}, 0
	for i = 1, size do
		a[i], b[i] = {}, {}
		for j = 1, size do a[i][j], b[i][j] = i + j / 10, (i * j) % 7 end
	end
	for i = 1, size do
		local row = a[i]
		for j = 1, size do
			local sum = 0.0
			for k = 1, size do sum = sum + row[k] * b[k][j] end
			if i == j then trace = trace + sum end
		end
	end
	return trace
end

local function bodies(steps)
	local x, v, m = { 0.0, 4.8, 8.3, 12.9 }, { 0.0, 0.6, -1.0, 1.1 }, { 39.5, 0.04, 0.011, 0.0017 }
	for _ = 1, steps do
		for i = 1, 4 do
			for j = i + 1, 4 do
				local d = x[i] - x[j]
				local f = 0.001 / (math.abs(d * d * d) + 0.01)
				v[i] = v[i] - d * m[j] * f
				v[j] = v[j] + d * m[i] * f
			end
		end
		for i = 1, 4 do x[i] = x[i] + 0.001 * v[i] end
	end
	return x[1]
end

local function mix(n)
	local h = 0x9e3779b9
	for i = 1, n do
		h = (h ~ (i << 7)) & 0xffffffff
		h = (h * 0x85ebca6b + (h >> 13)) & 0xffffffff
	end
	return h
end

for round = 1, tonumber(arg[1]) do
	print(round, sieve(8000), matrix(28), string.format("%.9f", bodies(1200)), mix(20000))
end
