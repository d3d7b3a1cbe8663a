-- common.lua - what the scripts of tests/milter share: TAP lines, one message
-- step by step, and steps that were agreed not to be sent left out.
--
-- DOOR is the socket of the milter (miltertest -D DOOR=...).

count = 0
CURRENT = { version = 6, actions = 0x1ff, steps = 0x1fffff }

function ok(true_, what, seen)
	count = count + 1
	print((true_ and "ok " or "not ok ") .. count .. " - " .. what)
	if not true_ and seen ~= nil then
		print("# " .. tostring(seen))
	end
	return true_
end

function same(got, want, what)
	return ok(got == want, what,
	    "got " .. tostring(got) .. ", want " .. tostring(want))
end

-- A reply as its letter, so that a failure can be read.
function reply(conn)
	local r = mt.getreply(conn)
	if r == nil or r == 0 then
		return "none"
	end
	return string.char(r)
end

-- offer: what the MTA offers; CURRENT without one.
function open(offer)
	offer = offer or CURRENT
	local conn = mt.connect(DOOR, 40, 0.05)
	if conn == nil then
		error("no connection to " .. DOOR)
	end
	-- miltertest 1.5.0 sends the last two the other way round than it says.
	local err = mt.negotiate(conn, offer.version, offer.steps, offer.actions)
	if err ~= nil then
		error("negotiation: " .. err)
	end
	return conn
end

-- Only what the milter wants is sent; an error of the protocol is a failure.
function step(conn, without, call, ...)
	if without ~= nil and mt.test_option(conn, without) then
		return "unwanted"
	end
	local err = call(conn, ...)
	if err ~= nil then
		error(err)
	end
	return reply(conn)
end

function client(conn, host, ip)
	return step(conn, SMFIP_NOCONNECT, mt.conninfo, host or "mx.a.example",
	    ip or "192.0.2.1")
end

function helo(conn, name)
	return step(conn, SMFIP_NOHELO, mt.helo, name or "client.example")
end

function mail(conn, sender, ...)
	return step(conn, SMFIP_NOMAIL, mt.mailfrom, sender or "<ada@a.example>", ...)
end

function rcpt(conn, to, ...)
	return step(conn, SMFIP_NORCPT, mt.rcptto, to or "<one@example.com>", ...)
end

function data(conn)
	return step(conn, SMFIP_NODATA, mt.data)
end

-- miltertest itself puts the blank behind the colon for who asked for it.
function header(conn, name, value)
	return step(conn, SMFIP_NOHDRS, mt.header, name, value)
end

function eoh(conn)
	return step(conn, SMFIP_NOEOH, mt.eoh)
end

function body(conn, text)
	return step(conn, SMFIP_NOBODY, mt.bodystring, text)
end

function eom(conn)
	return step(conn, nil, mt.eom)
end

-- From MAIL to the end of the header.
function envelope(conn, sender, to)
	mail(conn, sender)
	for _, r in ipairs(to or { "<one@example.com>" }) do
		rcpt(conn, r)
	end
	data(conn)
end

function content(conn, subject, text)
	header(conn, "From", "Ada <ada@a.example>")
	header(conn, "X-Gone", "1")
	header(conn, "X-Set", "old")
	header(conn, "X-Gone", "2")
	header(conn, "Subject", subject)
	eoh(conn)
	body(conn, text or "hello\r\n")
	return eom(conn)
end

-- A whole message on a connection that has said HELO; the final reply.
function deliver(conn, subject, text)
	envelope(conn)
	return content(conn, subject, text)
end

-- One message on a connection of its own.
function one(subject, offer, text)
	local conn = open(offer)
	client(conn)
	helo(conn)
	return conn, deliver(conn, subject, text)
end

function goes_on(r)
	return r == "c" or r == "a"
end

function done()
	print("1.." .. count)
end
