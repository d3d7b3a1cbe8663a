-- replies.lua - refusals at each stage. miltertest shows that there is a reply
-- with a text of its own; what is in it, milter_door.py reads.
dofile(COMMON)

-- at the end of the message
local conn, r = one("reject me")
same(r, "y", "refused at the end")
mt.disconnect(conn)
conn, r = one("tempfail me")
same(r, "y", "refused for now at the end")
mt.disconnect(conn)

-- at RCPT, each for itself
conn = open()
client(conn)
helo(conn)
mail(conn)
same(rcpt(conn, "<bad@example.com>"), "y", "a recipient is refused")
ok(goes_on(rcpt(conn, "<one@example.com>")), "the next one not")
same(rcpt(conn, "<later@example.com>"), "y", "a third for now")
data(conn)
r = content(conn, "plain")
ok(goes_on(r), "and the message is taken", r)
mt.disconnect(conn)

-- early: the client at HELO or MAIL, HELO at HELO or MAIL, the sender at MAIL
local function at_mail(host, ip, name, sender, what)
	local c = open()
	local first = client(c, host, ip)
	ok(first ~= "y" and first ~= "r" and first ~= "t", what .. ": no reply at connect", first)
	local second = helo(c, name)
	if second == "y" then
		ok(true, what .. ": refused at HELO")
	else
		same(mail(c, sender), "y", what .. ": refused at MAIL")
	end
	mt.disconnect(c)
end
at_mail("mx.a.example", "192.0.2.66", "client.example", "<ada@a.example>", "the client")
at_mail("mx.a.example", "192.0.2.1", "early.helo", "<ada@a.example>", "HELO")
at_mail("mx.a.example", "192.0.2.1", "client.example", "<early@a.example>", "the sender")

-- not early: at RCPT
conn = open()
client(conn, "mx.a.example", "192.0.2.67")
helo(conn)
ok(mail(conn) ~= "y", "a client that is not refused early")
same(rcpt(conn), "y", "is at RCPT")
mt.disconnect(conn)
done()
