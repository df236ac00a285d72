-- Shows another API key each time, which nobody has created.
local number = 0
request = function()
    number = number + 1
    wrk.headers["Authorization"] = string.format("Bearer leads_%012x_%043d", number, number)
    return wrk.format(nil, wrk.path)
end
