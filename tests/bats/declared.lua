-- In front of a script: each key that a command of it names must be one of its
-- KEYS, as a Redis Cluster asks for. Else the command is an error.
local server = redis
local declared, none = {}, {TIME = 1, INFO = 1}
for _, key in ipairs(KEYS) do declared[key] = true end
local function keys_of(name, ...)
    local words, keys = {...}, {}
    if none[name] then
        return keys
    elseif name == 'MGET' or name == 'DEL' or name == 'UNLINK' or name == 'EXISTS' then
        return words
    elseif name == 'RENAME' or name == 'RENAMENX' or name == 'LMOVE' then
        return {words[1], words[2]}
    elseif name == 'MEMORY' then
        return {words[2]}
    end
    for i = 2, name == 'SORT' and #words or 0 do
        if words[i] == 'STORE' then keys[1] = words[i + 1] end
    end
    keys[#keys + 1] = words[1]
    return keys
end
local function check(...)
    for _, key in ipairs(keys_of(...)) do
        if not declared[key] then
            error('undeclared key: ' .. (...) .. ' ' .. tostring(key))
        end
    end
end
local redis = setmetatable({
    call = function(...) check(...) return server.call(...) end,
    pcall = function(...) check(...) return server.pcall(...) end,
}, {__index = server})
