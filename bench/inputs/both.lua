-- SPDX-License-Identifier: MIT
-- Phases: objects.lua, then numeric.lua, in one process. Usage: both.lua OBJECTS NUMERIC
local folder = arg[0]:match("^(.*/)")
local objects, numeric = arg[1], arg[2]
arg[1] = objects
dofile(folder .. "objects.lua")
arg[1] = numeric
dofile(folder .. "numeric.lua")
