-- SPDX-License-Identifier: MIT
-- Tables, strings, closures, garbage: a word count, sorting, a queue of events, an
-- expression tree. Usage: objects.lua ROUNDS
local state = 12345
local function random(n)
	state = (state * 1103515245 + 12345) % 2147483648
	return state // 65536 % n
end

local Node = {}
Node.__index = Node
function Node.new(op, left, right) return setmetatable({ op = op, left = left, right = right }, Node) end
function Node:value()
	if self.op == "leaf" then return self.left end
	local a, b = self.left:value(), self.right:value()
	if self.op == "add" then return (a + b) % 1000003 end
	return (a * b) % 1000003
end
local function tree(depth)
	if depth == 0 then return Node.new("leaf", random(100)) end
	return Node.new(random(2) == 0 and "add" or "mul", tree(depth - 1), tree(depth - 1))
end

local function count_words(n)
	local counts, parts = {}, {}
	for i = 1, n do parts[i] = "w" .. random(500) end
	for word in table.concat(parts, " "):gmatch("%a%d+") do counts[word] = (counts[word] or 0) + 1 end
	local names = {}
	for word in pairs(counts) do names[#names + 1] = word end
	table.sort(names, function(a, b)
		if counts[a] ~= counts[b] then return counts[a] > counts[b] end
		return a < b
	end)
	return names[1], counts[names[1]]
end

local function events(n)
	local heap, size, log = {}, 0, 0
	local function push(e)
		size = size + 1
		local at = size
		while at > 1 and heap[at // 2].time > e.time do
			heap[at] = heap[at // 2]
			at = at // 2
		end
		heap[at] = e
	end
	local function pop()
		local top, last, at = heap[1], heap[size], 1
		heap[size] = nil
		size = size - 1
		while at * 2 <= size do
			local child = at * 2
			if child < size and heap[child + 1].time < heap[child].time then child = child + 1 end
			if heap[child].time >= last.time then break end
			heap[at] = heap[child]
			at = child
		end
		if size > 0 then heap[at] = last end
		return top
	end
	for i = 1, 100 do push({ time = random(1000), act = function(t) return t + i end }) end
	for _ = 1, n do
		local e = pop()
		log = (log * 31 + e.act(e.time)) % 1000000007
		push({ time = e.time + 1 + random(50), act = e.act })
	end
	return log
end

for round = 1, tonumber(arg[1]) do
	local word, times = count_words(2000)
	print(round, word, times, events(3000), tree(9):value())
end
