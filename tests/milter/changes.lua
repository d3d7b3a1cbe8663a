-- changes.lua - each change a milter may ask for.
dofile(COMMON)

local function blank(conn)
	return mt.test_option(conn, SMFIP_HDR_LEADSPC) and " " or ""
end

for _, offer in ipairs({ CURRENT, { version = 6, actions = 0x1ff, steps = SMFIP_RCPT_REJ },
    { version = 2, actions = 0x3f, steps = 0x7f } }) do
	local how = string.format("protocol %d, steps %#x: ", offer.version, offer.steps)
	local conn, r = one("edit me", offer)
	local s = blank(conn)
	ok(goes_on(r), how .. "edited", r)
	ok(mt.eom_check(conn, MT_HDRADD, "X-Add", s .. "one"), how .. "a field is added")
	ok(mt.eom_check(conn, MT_HDRINSERT, "X-Top", s .. "first", 0), how .. "inserted at the top")
	ok(mt.eom_check(conn, MT_HDRCHANGE, "X-Set", s .. "new value"), how .. "changed")
	ok(mt.eom_check(conn, MT_HDRDELETE, "X-Gone"), how .. "deleted")
	ok(mt.eom_check(conn, MT_HDRCHANGE, "Subject", s .. "[E] edit me"), how .. "the subject prefixed")
	ok(not mt.eom_check(conn, MT_BODYCHANGE), how .. "the body is left alone")
	mt.disconnect(conn)

	conn, r = one("strip me", offer)
	ok(goes_on(r), how .. "nothing to strip", r)
	mt.disconnect(conn)

	conn = open(offer)
	client(conn)
	helo(conn)
	envelope(conn)
	header(conn, "Subject", "strip me")
	header(conn, "MIME-Version", "1.0")
	header(conn, "Content-Type", "multipart/mixed; boundary=b")
	eoh(conn)
	body(conn, "--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\n"
	    .. "Content-Transfer-Encoding: base64\r\n\r\nTVqQAAMAAAAE\r\n--b--\r\n")
	r = eom(conn)
	ok(goes_on(r) and mt.eom_check(conn, MT_BODYCHANGE), how .. "the body is replaced", r)
	mt.disconnect(conn)
end

local conn, r = one("redirect me")
ok(goes_on(r) and mt.eom_check(conn, MT_RCPTADD, "<abuse@example.com>"), "a recipient is added", r)
ok(mt.eom_check(conn, MT_RCPTDELETE, "<one@example.com>"), "and one deleted")
mt.disconnect(conn)

conn, r = one("hold me")
ok(goes_on(r) and mt.eom_check(conn, MT_QUARANTINE, "look at this"), "held, with the reason", r)
mt.disconnect(conn)

conn, r = one("jail me")
same(r, "d", "kept by the keeper: thrown away by the MTA")
mt.disconnect(conn)

conn, r = one("discard me")
same(r, "d", "thrown away")
mt.disconnect(conn)

conn, r = one("plain")
ok(goes_on(r), "a plain one passes", r)
for what, change in pairs({ add = MT_HDRADD, insert = MT_HDRINSERT, change = MT_HDRCHANGE,
    delete = MT_HDRDELETE, body = MT_BODYCHANGE, hold = MT_QUARANTINE }) do
	ok(not mt.eom_check(conn, change), "without a change: " .. what)
end
mt.disconnect(conn)

-- what was not offered is refused for now, and nothing is half done
conn, r = one("hold me", { version = 6, actions = 0x1ff - SMFIF_QUARANTINE, steps = 0x1fffff })
same(r, "y", "no hold queue: refused for now")
mt.disconnect(conn)
conn, r = one("edit me", { version = 6, actions = SMFIF_QUARANTINE, steps = 0x1fffff })
same(r, "y", "no change at all: refused for now")
ok(not mt.eom_check(conn, MT_HDRADD) and not mt.eom_check(conn, MT_HDRCHANGE), "and no change")
mt.disconnect(conn)
done()
