-- sendmail.lua - what Sendmail does otherwise than Postfix.
--
-- Macros by its names ({client_resolve}, {client_ptr}, {if_addr}), addresses
-- with and without <>, recipients that it has refused itself, "localhost" for
-- mail of its own, protocol 2 as old ones speak it, values without their
-- leading blank.
dofile(COMMON)

-- sendmail.cf: Milter.macros.connect=j, _, {daemon_name}, {if_name}, {if_addr}
local function connect_as(resolve, host, offer)
	local conn = open(offer)
	mt.macro(conn, SMFIC_CONNECT, "j", "mail.example", "_", host .. " [192.0.2.1]",
	    "{daemon_name}", "MTA", "{if_name}", "mail.example", "{if_addr}", "192.0.2.25",
	    "{client_resolve}", resolve, "{client_ptr}", "mx.a.example",
	    "{client_name}", host, "{client_addr}", "192.0.2.1")
	client(conn, host, "192.0.2.1")
	mt.macro(conn, SMFIC_HELO, "{tls_version}", "TLSv1.3", "{cipher}", "AES", "{verify}", "NO")
	helo(conn)
	return conn
end

local function through(conn, subject)
	mt.macro(conn, SMFIC_MAIL, "i", "2ALAS8Fh001234", "{auth_authen}", "ada",
	    "{mail_mailer}", "esmtp", "{mail_host}", "a.example.", "{mail_addr}", "ada@a.example")
	mail(conn)
	mt.macro(conn, SMFIC_RCPT, "{rcpt_mailer}", "local", "{rcpt_host}", "", "{rcpt_addr}", "one")
	rcpt(conn)
	data(conn)
	return content(conn, subject or "name me")
end

for _, offer in ipairs({ CURRENT, { version = 6, actions = 0x1ff, steps = 0xfffff },
    { version = 2, actions = 0x3f, steps = 0x7f }, { version = 2, actions = 0x1f, steps = 0x3f } }) do
	local how = string.format("protocol %d, steps %#x: ", offer.version, offer.steps)
	local conn = connect_as("OK", "mx.a.example", offer)
	local s = mt.test_option(conn, SMFIP_HDR_LEADSPC) and " " or ""
	local r = through(conn)
	ok(goes_on(r), how .. "taken", r)
	ok(mt.eom_check(conn, MT_HDRADD, "X-Client", s .. "mx.a.example"), how .. "OK: a name")
	ok(mt.eom_check(conn, MT_HDRADD, "X-Login", s .. "ada"), how .. "{auth_authen}")
	ok(mt.eom_check(conn, MT_HDRADD, "X-Tls", s .. "TLSv1.3 AES"), how .. "{tls_version}, {cipher}")
	mt.disconnect(conn)

	for _, state in ipairs({ "FAIL", "FORGED" }) do
		conn = connect_as(state, "[192.0.2.1]", offer)
		r = through(conn)
		ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Client", s .. "none"),
		    how .. state .. ": no name", r)
		mt.disconnect(conn)
	end
	conn = connect_as("TEMP", "[192.0.2.1]", offer)
	r = through(conn)
	ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Client", s .. "temporary"),
	    how .. "TEMP: nobody knows", r)
	mt.disconnect(conn)
end

-- envelope addresses
for _, a in ipairs({ "<ada@a.example>", "ada@a.example" }) do
	local conn = open()
	client(conn)
	helo(conn)
	mail(conn, a)
	same(rcpt(conn, string.gsub(a, "ada@a.example", "bad@example.com")), "y",
	    "a recipient is known in and without <>: " .. a)
	local r = rcpt(conn, string.gsub(a, "ada@a.example", "one@example.com"))
	ok(goes_on(r), "and another one is not him", r)
	data(conn)
	r = content(conn, "sender fact")
	ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Sender", " ada@a.example"),
	    "so is the sender", r)
	mt.disconnect(conn)
end
local conn = open()
client(conn)
helo(conn)
mail(conn, "<>")
rcpt(conn, "<postmaster>")
data(conn)
local r = content(conn, "plain")
ok(goes_on(r), "from nobody to <postmaster>", r)
mt.disconnect(conn)

-- mail of its own: sendmail -bs, -t
conn = open()
client(conn, "localhost", "127.0.0.1")
helo(conn, "localhost")
envelope(conn, "<root@mail.example>")
r = content(conn, "edit me")
ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Add", " one"), "from localhost", r)
mt.disconnect(conn)
conn = open()
client(conn, "localhost", "unspec")
envelope(conn, "<root@mail.example>")
r = content(conn, "edit me")
ok(goes_on(r) and mt.eom_check(conn, MT_HDRADD, "X-Add", " one"), "of no family, without HELO", r)
mt.disconnect(conn)

-- who refuses a recipient itself tells only milters that want to know
conn = open()
client(conn)
helo(conn)
ok(not mt.test_option(conn, SMFIP_RCPT_REJ), "refused recipients are none of our business")
mail(conn)
mt.macro(conn, SMFIC_RCPT, "{rcpt_mailer}", "error", "{rcpt_host}", "5.1.1",
    "{rcpt_addr}", "User unknown")
rcpt(conn, "<nobody@example.com>")
rcpt(conn, "<one@example.com>")
data(conn)
r = content(conn, "plain")
ok(goes_on(r), "one that comes nevertheless does no harm", r)
mt.disconnect(conn)
done()
