-- callbacks.lua - each callback, with every step offered and with none: then
-- each packet is sent and has its reply.
dofile(COMMON)

for _, steps in ipairs({ 0x1fffff, SMFIP_RCPT_REJ }) do
	local how = steps == SMFIP_RCPT_REJ and "no step offered: " or "all steps offered: "
	local conn = open({ version = 6, actions = 0x1ff, steps = steps })
	local function fine(r, what)
		ok(r == "c" or r == "s" or r == "unwanted" or steps == 0x1fffff, how .. what, r)
	end
	fine(client(conn), "connect")
	fine(helo(conn), "helo")
	fine(step(conn, SMFIP_NOUNKNOWN, mt.unknown, "XYZZY"), "unknown")
	fine(mail(conn, "<ada@a.example>", "SIZE=100", "BODY=8BITMIME"), "mail")
	fine(rcpt(conn, "<one@example.com>", "NOTIFY=NEVER"), "rcpt")
	fine(rcpt(conn, "<two@example.com>"), "another rcpt")
	fine(data(conn), "data")
	fine(header(conn, "Subject", "edit me"), "header")
	fine(header(conn, "X-Folded", "one\n\ttwo\n three"), "folded header")
	fine(eoh(conn), "eoh")
	fine(body(conn, "one\r\n"), "body")
	fine(body(conn, "two\r\n"), "more body")
	local r = eom(conn)
	ok(goes_on(r), how .. "eom", r)
	ok(mt.eom_check(conn, MT_HDRADD, "X-Add"), how .. "and its change")
	mt.abort(conn)
	r = deliver(conn, "plain")
	ok(goes_on(r), how .. "a message after an abort", r)
	ok(not mt.eom_check(conn, MT_HDRADD) and not mt.eom_check(conn, MT_HDRINSERT)
	    and not mt.eom_check(conn, MT_HDRCHANGE), how .. "has nothing of the one before")
	mt.disconnect(conn)
end

-- each kind of connection
for what, who in pairs({ ["IPv4"] = { "mx.a.example", "192.0.2.1" },
    ["IPv6"] = { "mx.a.example", "2001:db8::1" },
    ["unknown family"] = { "localhost", "unspec" },
    ["localhost"] = { "localhost", "127.0.0.1" } }) do
	local conn = open()
	client(conn, who[1], who[2])
	helo(conn)
	local r = deliver(conn, "edit me")
	ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Add"),
	    "a client that is " .. what, r)
	mt.disconnect(conn)
end

-- bodies
local conn = open()
client(conn)
helo(conn)
envelope(conn)
header(conn, "Subject", "edit me")
eoh(conn)
local err
if not mt.test_option(conn, SMFIP_NOBODY) then
	err = mt.bodyrandom(conn, 300000)
end
ok(err == nil, "300,000 bytes of body", err)
local r = eom(conn)
ok(goes_on(r), "are taken", r)
mt.disconnect(conn)
done()
