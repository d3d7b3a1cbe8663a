-- connections.lua - many messages on a connection, aborts and breaks.
dofile(COMMON)

local conn = open()
client(conn)
helo(conn)
local fine = 0
for i = 1, 24 do
	local subject = i % 2 == 0 and "edit me" or "reject me"
	local r = deliver(conn, subject)
	if (i % 2 == 0 and goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Add")) or
	    (i % 2 == 1 and r == "y") then
		fine = fine + 1
	end
	if i % 2 == 1 then
		mt.abort(conn)
	end
end
same(fine, 24, "24 messages on one connection, each for itself")
mt.disconnect(conn)

local stages = { "mail", "rcpt", "data", "header", "eoh", "body" }
local function up_to(c, last)
	local calls = { mail = mail, rcpt = rcpt, data = data,
	    header = function(x) header(x, "Subject", "reject me") end, eoh = eoh,
	    body = function(x) body(x, "half of it\r\n") end }
	for _, s in ipairs(stages) do
		calls[s](c)
		if s == last then
			return
		end
	end
end

conn = open()
client(conn)
helo(conn)
for _, s in ipairs(stages) do
	up_to(conn, s)
	mt.abort(conn)
	local r = deliver(conn, "plain")
	ok(goes_on(r) and not mt.eom_check(conn, MT_HDRADD), "aborted after " .. s ..
	    ": the next is a new one", r)
end
mt.disconnect(conn)

for _, s in ipairs(stages) do
	conn = open()
	client(conn)
	helo(conn)
	up_to(conn, s)
	mt.disconnect(conn, false)
end
local last, r = one("edit me")
ok(goes_on(r) and mt.eom_check(last, MT_HDRADD, "X-Add"), "broken after each step: it still serves", r)
mt.disconnect(last)

-- several at once, each with its own
local all = {}
for i = 1, 20 do
	all[i] = open()
	client(all[i])
	helo(all[i])
	envelope(all[i])
	header(all[i], "Subject", i % 2 == 0 and "edit me" or "discard me")
end
fine = 0
for i = 1, 20 do
	eoh(all[i])
	body(all[i], "hello\r\n")
	r = eom(all[i])
	if (i % 2 == 0 and goes_on(r)) or (i % 2 == 1 and r == "d") then
		fine = fine + 1
	end
	mt.disconnect(all[i])
end
same(fine, 20, "20 connections side by side")
done()
