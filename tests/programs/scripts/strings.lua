-- SPDX-License-Identifier: MIT
-- Strings, patterns, buffers and sorting: the library side of the interpreter.
local words = {}
local text = ("the quick brown fox jumps over the lazy dog and runs away "):rep(40)
for word in text:gmatch("%a+") do
	words[word] = (words[word] or 0) + 1
end
local names = {}
for word in pairs(words) do
	names[#names + 1] = word
end
table.sort(names)
for _, word in ipairs(names) do
	io.write(string.format("%-8s %5d %s\n", word, words[word], word:upper():reverse()))
end

local parts = {}
for i = 1, 2000 do
	parts[#parts + 1] = string.format("%d:%x:%5.3f", i, i * 2654435761 % 4294967296, math.sqrt(i))
end
local joined = table.concat(parts, ";")
local sum = 0
for i = 1, #joined, 7 do
	sum = (sum * 31 + joined:byte(i)) % 1000000007
end
print(#joined, sum)
print((joined:gsub("%d+", function(d) return #d end)):sub(1, 60))
print(string.pack("<i4i8d", 7, -8, 0.5):byte(1, -1))
print(utf8.len("añb→c"), utf8.char(955, 8594))

table.sort(parts, function(a, b) return a:sub(-3) < b:sub(-3) or (a:sub(-3) == b:sub(-3) and a < b) end)
print(parts[1], parts[1000], parts[2000])
print(pcall(string.rep, "x", -1), pcall(string.format, "%d", "x"))
