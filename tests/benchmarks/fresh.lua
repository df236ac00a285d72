-- Asks for an address that was never asked for, each time.
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local number = 0
request = function()
    number = number + 1
    local sign = wrk.path:find("?", 1, true) and "&" or "?"
    return wrk.format(nil, wrk.path .. sign .. "_=" .. number)
end
