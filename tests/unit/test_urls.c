/*
 * urls: addresses taken apart as browsers do, tricks that make one look like
 * another foremost; addresses found in text; what a message leads to.
 */
#include "cm.h"

#include <stdio.h>

#include "inspect/urls.h"

/* ---- taking apart ---- */

/* "scheme host domain path ?query flags", flags: i an IP, u a user; "" for
 * what leads nowhere. */
static const struct {
	const char *name;
	struct pn_str url;
	const char *base;
	const char *want;
} parsed[] = {
#define URL(what, url, want) { what, PN_STR(url), NULL, want }
#define REL(what, base, url, want) { what, PN_STR(url), base, want }
	URL("plain", "http://example.com/a/b?c=d#e",
	    "http example.com example.com /a/b ?c=d"),
	URL("no path", "https://www.example.com",
	    "https www.example.com example.com / ?"),
	URL("capitals", "HTTP://WWW.Example.COM/Path",
	    "http www.example.com example.com /Path ?"),
	URL("blanks and controls around", " \1http://a.example/\x1f ",
	    "http a.example a.example / ?"),
	URL("tabs and line ends within", "ht\ttp:/\n/exa\r\nmple.com/a\tb",
	    "http example.com example.com /ab ?"),
	URL("a port", "http://example.com:8080/x",
	    "http example.com example.com /x ?"),
	URL("an empty port", "http://example.com:/",
	    "http example.com example.com / ?"),
	URL("a port that is none", "http://example.com:80x/", ""),
	URL("a dot at the end", "http://example.com./",
	    "http example.com example.com / ?"),
	URL("empty labels", "http://a..example/", ""),
	URL("dots at the end", "http://a.example../", ""),
	URL("a dot in front", "http://.example/", ""),
	URL("nothing", "", ""),
	URL("a scheme alone", "http://", ""),
	URL("a blank in the host", "http://exa mple.com/", ""),
	URL("what no host has", "http://exa|mple.com/", ""),
	URL("decoded into what no host has", "http://exa%2fmple.com/", ""),
	URL("NUL in the host", "http://exa%00mple.com/", ""),

	/* users */
	URL("a user", "http://bank.com@evil.example/",
	    "http evil.example evil.example / ? u"),
	URL("user and password", "http://www.bank.com:secret@evil.example/",
	    "http evil.example evil.example / ? u"),
	URL("two at signs", "http://bank.com@x@evil.example/",
	    "http evil.example evil.example / ? u"),
	URL("a slash ends the user", "http://evil.example/@bank.com/",
	    "http evil.example evil.example /@bank.com/ ?"),
	URL("so does a backslash", "http://evil.example\\@bank.com/",
	    "http evil.example evil.example \\@bank.com/ ?"),
	URL("and a question mark", "http://evil.example?@bank.com/",
	    "http evil.example evil.example / ?@bank.com/"),
	URL("and a fragment", "http://evil.example#@bank.com/",
	    "http evil.example evil.example / ?"),
	URL("encoded at sign", "http://bank.com%40evil.example/", ""),

	/* slashes */
	URL("backslashes", "http:\\\\evil.example\\a",
	    "http evil.example evil.example \\a ?"),
	URL("one slash", "http:/evil.example/a",
	    "http evil.example evil.example /a ?"),
	URL("no slash", "http:evil.example",
	    "http evil.example evil.example / ?"),
	URL("many", "https:////\\/evil.example/",
	    "https evil.example evil.example / ?"),

	/* numbers */
	URL("dotted", "http://192.0.2.1/", "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("decimal", "http://3221225985/", "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("hexadecimal", "http://0xC0000201/",
	    "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("octal", "http://0300.0.02.01/", "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("mixed", "http://0xc0.0.0x2.1/", "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("short", "http://192.513/", "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("three parts", "http://192.0.513/",
	    "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("a dot behind", "http://192.0.2.1./",
	    "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("encoded digits", "http://%31%39%32.0.2.1/",
	    "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("full-width digits",
	    "http://\357\274\221\357\274\231\357\274\222.0.2.1/",
	    "http 192.0.2.1 192.0.2.1 / ? i"),
	URL("0x alone is nought", "http://0x.0.0.1/",
	    "http 0.0.0.1 0.0.0.1 / ? i"),
	URL("too large", "http://256.0.0.1/", ""),
	URL("too large in all", "http://4294967296/", ""),
	URL("too many parts", "http://1.2.3.4.5/", ""),
	URL("ends in a number", "http://example.1/", ""),
	URL("no octal", "http://192.0.2.08/", ""),
	URL("a name of digits and letters", "http://1a.example/",
	    "http 1a.example 1a.example / ?"),
	URL("IPv6", "http://[2001:DB8:0:0::1]:80/",
	    "http 2001:db8::1 2001:db8::1 / ? i"),
	URL("IPv4 in IPv6", "http://[::ffff:192.0.2.1]/",
	    "http ::ffff:192.0.2.1 ::ffff:192.0.2.1 / ? i"),
	URL("no IPv6", "http://[example]/", ""),
	URL("an address and a user", "http://bank.com@0x7f.1/",
	    "http 127.0.0.1 127.0.0.1 / ? iu"),

	/* names that are not ASCII */
	URL("umlaut", "http://B\303\274cher.example/",
	    "http xn--bcher-kva.example xn--bcher-kva.example / ?"),
	URL("umlaut, encoded", "http://b%C3%BCcher.example/",
	    "http xn--bcher-kva.example xn--bcher-kva.example / ?"),
	URL("in ASCII already", "http://xn--bcher-kva.example/",
	    "http xn--bcher-kva.example xn--bcher-kva.example / ?"),
	URL("Cyrillic a", "http://\320\260pple.com/",
	    "http xn--pple-43d.com xn--pple-43d.com / ?"),
	URL("full-width letters and dot",
	    "http://\357\275\205\357\275\226\357\275\211\357\275\214\357\274"
	    "\216com/",
	    "http evil.com evil.com / ?"),
	URL("ideographic full stop", "http://evil\343\200\202com/",
	    "http evil.com evil.com / ?"),
	URL("soft hyphen", "http://ev\302\255il.com/",
	    "http evil.com evil.com / ?"),
	URL("zero-width blank", "http://ev\342\200\213il.com/",
	    "http evil.com evil.com / ?"),
	URL("encoded letters", "http://%65vil%2Ecom/",
	    "http evil.com evil.com / ?"),
	URL("what IDNA refuses stays", "http://i\342\235\244.ws/",
	    "http i\342\235\244.ws i\342\235\244.ws / ?"),

	/* domains */
	URL("two labels of suffix", "http://a.b.example.co.uk/",
	    "http a.b.example.co.uk example.co.uk / ?"),
	URL("a host of others", "http://me.github.io/",
	    "http me.github.io me.github.io / ?"),
	URL("a suffix itself", "http://co.uk/", "http co.uk co.uk / ?"),
	URL("one label", "http://localhost/", "http localhost localhost / ?"),
	URL("an unknown suffix", "http://a.b.unknown/",
	    "http a.b.unknown b.unknown / ?"),

	/* paths */
	URL("decoded once", "http://a.example/%2541%20b?%26",
	    "http a.example a.example /%41 b ?&"),
	URL("a lone percent", "http://a.example/%zz%4",
	    "http a.example a.example /%zz%4 ?"),
	URL("query without path", "http://a.example?q",
	    "http a.example a.example / ?q"),

	/* other schemes */
	URL("ftp", "ftp://a.example/x", "ftp a.example a.example /x ?"),
	URL("mailto", "mailto:a@b.example?subject=x",
	    "mailto   a@b.example ?subject=x"),
	URL("javascript", "JavaScript:alert(1)", "javascript   alert(1) ?"),
	URL("javascript, cut up", " java\nscript:alert(1)",
	    "javascript   alert(1) ?"),
	URL("data", "data:text/html,<b>?x", "data   text/html,<b> ?x"),
	URL("cid", "cid:part1@example", "cid   part1@example ?"),
	URL("one with a host", "foo://a.example/x",
	    "foo a.example a.example /x ?"),
	URL("file", "file:///etc/passwd", "file   /etc/passwd ?"),
	URL("a port is no scheme", "example.com:80/x",
	    "http example.com example.com /x ?"),

	/* without a scheme */
	URL("www", "www.example.com/x", "http www.example.com example.com /x ?"),
	URL("a name", "example.com", "http example.com example.com / ?"),
	URL("two slashes", "//example.com/x",
	    "http example.com example.com /x ?"),
	URL("two backslashes", "\\\\example.com\\x",
	    "http example.com example.com \\x ?"),
	URL("a path", "/x/y", ""),
	URL("a file", "x/y.html", ""),
	URL("an anchor", "#x", ""),
	URL("an address of mail", "a.b@example.com", ""),

	/* with a base */
	REL("a path", "http://a.example/b/c", "d?e",
	    "http a.example a.example /b/d ?e"),
	REL("from the root", "http://a.example/b/c", "/d",
	    "http a.example a.example /d ?"),
	REL("another host", "https://a.example/", "//b.example/c",
	    "https b.example b.example /c ?"),
	REL("another host, the other way", "https://a.example/",
	    "\\\\b.example/c", "https b.example b.example /c ?"),
	REL("a query", "http://a.example/b?c", "?d",
	    "http a.example a.example /b ?d"),
	REL("whole all the same", "http://a.example/", "http://b.example/",
	    "http b.example b.example / ?"),
	REL("what looks like a host is a path", "http://a.example/",
	    "b.example", "http a.example a.example /b.example ?"),
};

static void
taken_apart_as_browsers_do(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(parsed); i++) {
		struct arena *a = arena_new(1 << 20);
		struct url u, base;
		char got[400] = "";

		if (parsed[i].base != NULL)
			assert_true(url_parse(&base,
			    pn_str_of(parsed[i].base), NULL, a));
		if (url_parse(&u, parsed[i].url,
			parsed[i].base != NULL ? &base : NULL, a))
			(void)snprintf(got, sizeof(got),
			    "%.*s %.*s %.*s %.*s ?%.*s%s%s%s",
			    PN_STR_ARG(u.scheme), PN_STR_ARG(u.host),
			    PN_STR_ARG(u.domain), PN_STR_ARG(u.path),
			    PN_STR_ARG(u.query), u.ip || u.user ? " " : "",
			    u.ip ? "i" : "", u.user ? "u" : "");
		if (strcmp(got, parsed[i].want) != 0) {
			print_error("%s: \"%s\", not \"%s\"\n", parsed[i].name,
			    got, parsed[i].want);
			wrong++;
		}
		arena_free(a);
	}
	assert_int_equal(wrong, 0);
}

static void
the_whole_in_one_form(void **state)
{
	static const char *const cases[][2] = {
		{ "HTTP://u:p@EXAMPLE.com:80/a%20b?c#d",
		    "http://example.com:80/a%20b?c" },
		{ "http://0x7f.1", "http://127.0.0.1/" },
		{ "http://[::1]:8/x", "http://[::1]:8/x" },
		{ "mailto:a@b", "mailto:a@b" },
	};
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct url u;

		assert_true(url_parse(&u, pn_str_of(cases[i][0]), NULL, a));
		if (!pn_str_eq(u.whole, pn_str_of(cases[i][1])))
			fail_msg("\"%.*s\"", PN_STR_ARG(u.whole));
	}
	arena_free(a);
}

/* ---- found in text ---- */

static const struct {
	const char *text, *want; /* one behind the other, '|' between */
} found[] = {
	{ "nothing here", "" },
	{ "see http://a.example/b for more", "http://a.example/b" },
	{ "http://a.example", "http://a.example" },
	{ "www.a.example and HTTPS://b.example/", "www.a.example|HTTPS://b.example/" },
	{ "end of http://a.example/b. Next", "http://a.example/b" },
	{ "is it http://a.example/b?!", "http://a.example/b" },
	{ "query http://a.example/b?c=d, then", "http://a.example/b?c=d" },
	{ "(http://a.example/b)", "http://a.example/b" },
	{ "(see http://a.example/b_(c))", "http://a.example/b_(c)" },
	{ "<http://a.example/b>", "http://a.example/b" },
	{ "\"http://a.example/b\"", "http://a.example/b" },
	{ "'http://a.example/b'", "http://a.example/b" },
	{ "[http://a.example/b]", "http://a.example/b" },
	{ "*http://a.example/b*", "http://a.example/b" },
	{ "http://a.example/\nhttp://b.example/", "http://a.example/|http://b.example/" },
	{ "http://a.example/http://b.example/", "http://a.example/http://b.example/" },
	{ "xhttp://a.example/", "http://a.example/" },
	{ "x:http://a.example/", "http://a.example/" },
	{ "http:\\\\a.example\\b", "http:\\\\a.example\\b" },
	{ "ftp://a.example/b", "ftp://a.example/b" },
	{ "mailto:a@b.example, please", "mailto:a@b.example" },
	{ "hxxp://a.example/", "" },
	{ "gopher://a.example/", "" },
	{ "http:// nothing", "" },
	{ "http://", "" },
	{ "www.", "" },
	{ "www. a", "" },
	{ "a.www.example.com", "" },
	{ "me@www.example.com", "" },
	{ "awww.example.com", "" },
	{ "(www.example.com)", "www.example.com" },
	{ "http://bank.com@evil.example/", "http://bank.com@evil.example/" },
	{ "\302\253http://a.example/\302\273", "http://a.example/" },
	{ "\342\200\234http://a.example/\342\200\235", "http://a.example/" },
	{ "http://b\303\274cher.example/\303\244 x", "http://b\303\274cher.example/\303\244" },
	{ "http://evil\343\200\202com\343\200\202", "http://evil\343\200\202com" },
	{ "http://a.example/\343\200\215x", "http://a.example/" },
	{ "http://a.example/\357\274\211x", "http://a.example/" },
	{ "http://a.example/%20?a[]=1", "http://a.example/%20?a[]=1" },
	{ ":://www:http:www", "" },
};

static void
found_in_text(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(found); i++) {
		struct pn_str text = pn_str_of(found[i].text), s;
		char got[400] = "";
		size_t at = 0, n = 0;

		while ((s = urls_find(text, &at)).n > 0)
			n += (size_t)snprintf(got + n, sizeof(got) - n,
			    "%s%.*s", n ? "|" : "", PN_STR_ARG(s));
		if (strcmp(got, found[i].want) != 0) {
			print_error("\"%s\": \"%s\"\n", found[i].text, got);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* ---- of a message ---- */

#define HTML "Content-Type: text/html\r\n\r\n"

static const struct {
	const char *name;
	struct pn_str mail;
	const char *want; /* "kind whole[text]!" each; ! misleads */
} mails[] = {
#define MAIL(what, mail, want) { what, PN_STR(mail), want }
	MAIL("text", "\r\nhttp://a.example/ and www.b.example\r\n",
	    "text http://a.example/[] text http://www.b.example/[]"),
	MAIL("each once", "\r\nhttp://a.example/ http://A.example\r\n",
	    "text http://a.example/[]"),
	MAIL("a link", HTML "<a href='http://a.example/'>click</a>",
	    "link http://a.example/[click]"),
	MAIL("text in a page", HTML "go to http://a.example/ <b>now",
	    "text http://a.example/[]"),
	MAIL("what is clicked on is not text",
	    HTML "<a href=http://a.example/>http://a.example/</a>",
	    "link http://a.example/[http://a.example/]"),
	MAIL("relative to a base",
	    HTML "<base href=http://a.example/b/><img src=c.gif>",
	    "image http://a.example/b/c.gif[]"),
	MAIL("a path, and a host in the text",
	    HTML "<base href=http://a.example/><img src=www.b.example>"
		 "www.b.example",
	    "image http://a.example/www.b.example[] "
	    "text http://www.b.example/[]"),
	MAIL("relative to nothing", HTML "<img src=c.gif>", ""),
	MAIL("every kind",
	    HTML "<form action=http://a.example/><link href=//b.example/>"
		 "<meta http-equiv=refresh content='0;http://c.example/'>",
	    "form http://a.example/[] other http://b.example/[] "
	    "refresh http://c.example/[]"),
	MAIL("not in an attachment",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
	    "--b\r\nContent-Disposition: attachment\r\n\r\n"
	    "http://a.example/\r\n--b--\r\n",
	    ""),
	MAIL("cut by soft hyphens", HTML "http://a.ex&shy;am&#8203;ple/",
	    "text http://a.example/[]"),
	MAIL("cut by quoted-printable",
	    "Content-Transfer-Encoding: "
	    "quoted-printable\r\n\r\nhttp://a.exa=\r\nmple/=3Fb\r\n",
	    "text http://a.example/?b[]"),
	MAIL("in two parts",
	    "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
	    "--b\r\n\r\nhttp://a.example/\r\n--b\r\n" HTML
	    "<a href=http://a.example/>x</a>\r\n--b--\r\n",
	    "text http://a.example/[] link http://a.example/[x]"),
	MAIL("forwarded",
	    "Content-Type: message/rfc822\r\n\r\n\r\nhttp://a.example/\r\n",
	    "text http://a.example/[]"),

	/* what misleads */
	MAIL("another domain",
	    HTML "<a href=http://evil.example/>http://www.bank.com/login</a>",
	    "link http://evil.example/[http://www.bank.com/login]!"),
	MAIL("without a scheme",
	    HTML "<a href=http://evil.example/>www.bank.com</a>",
	    "link http://evil.example/[www.bank.com]!"),
	MAIL("a bare name", HTML "<a href=http://evil.example/>Bank.com</a>",
	    "link http://evil.example/[Bank.com]!"),
	MAIL("amid words",
	    HTML "<a href=http://evil.example/>log in at http://bank.com now</a>",
	    "link http://evil.example/[log in at http://bank.com now]!"),
	MAIL("broken up by markup",
	    HTML "<a href=http://evil.example/>www.<b>bank</b>.com</a>",
	    "link http://evil.example/[www.bank.com]!"),
	MAIL("a picture's text",
	    HTML "<a href=http://evil.example/><img alt=www.bank.com></a>",
	    "link http://evil.example/[www.bank.com]!"),
	MAIL("an IP address",
	    HTML "<a href=http://192.0.2.1/>http://bank.com/</a>",
	    "link http://192.0.2.1/[http://bank.com/]!"),
	MAIL("the domain as a label",
	    HTML "<a href=http://bank.com.evil.example/>www.bank.com</a>",
	    "link http://bank.com.evil.example/[www.bank.com]!"),
	MAIL("the same organisation",
	    HTML "<a href=https://login.bank.com/x>www.bank.com</a>",
	    "link https://login.bank.com/x[www.bank.com]"),
	MAIL("one suffix, two owners",
	    HTML "<a href=http://evil.co.uk/>bank.co.uk</a>",
	    "link http://evil.co.uk/[bank.co.uk]!"),
	MAIL("words", HTML "<a href=http://evil.example/>our shop</a>",
	    "link http://evil.example/[our shop]"),
	MAIL("a file's name", HTML "<a href=http://a.example/>offer.zip</a>",
	    "link http://a.example/[offer.zip]"),
	MAIL("no such suffix", HTML "<a href=http://a.example/>Node.js</a>",
	    "link http://a.example/[Node.js]"),
	MAIL("www. of nothing", HTML "<a href=http://a.example/>www.soft2reg</a>",
	    "link http://a.example/[www.soft2reg]"),
	MAIL("full-width letters", HTML "<a href=http://evil.example/>"
	    "\357\275\202\357\275\201\357\275\216\357\275\213"
	    "\357\274\216com</a>",
	    "link http://evil.example/[\357\275\202\357\275\201\357\275"
	    "\216\357\275\213\357\274\216com]!"),
	MAIL("a slash that is none",
	    "\r\nhttp://bank.com\342\201\204x@evil.example/",
	    "text http://evil.example/[]"),
	MAIL("a base for Outlook alone",
	    HTML "<!--[if mso]><base href=http://a.example/><![endif]-->"
	    "<base href=http://b.example/><a href=x>y</a>",
	    "link http://a.example/x[y] link http://b.example/x[y]"),
	MAIL("a mail address", HTML "<a href=http://a.example/>me@bank.com</a>",
	    "link http://a.example/[me@bank.com]"),
	MAIL("mail to another", HTML "<a href=mailto:x@evil.example>bank.com</a>",
	    "link mailto:x@evil.example[bank.com]"),
};

static void
where_a_message_leads(void **state)
{
	static const char *const kinds[] = { "link", "image", "form", "refresh",
		"other", "text" };
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(mails); i++) {
		struct arena *a = arena_new(4 << 20);
		struct view *v =
		    view_new(mails[i].mail, &view_limits_default, a);
		const struct urls *urls = view_urls(v);
		struct buf got = { 0 };
		uint32_t n = 0;

		for (struct pn_url *u = urls->first; u; u = u->next) {
			assert_int_equal(u->number, n++);
			buf_printf(&got, "%s%s %.*s[%.*s]%s",
			    u->number ? " " : "", kinds[u->kind],
			    PN_STR_ARG(u->url.whole), PN_STR_ARG(u->text),
			    u->mismatch ? "!" : "");
		}
		assert_int_equal(urls->n, n);
		assert_ptr_equal(urls, view_urls(v));
		if (!pn_str_eq(buf_str(&got), pn_str_of(mails[i].want))) {
			print_error("%s: \"%.*s\", not \"%s\"\n",
			    mails[i].name, PN_STR_ARG(buf_str(&got)),
			    mails[i].want);
			wrong++;
		}
		buf_fini(&got);
		arena_free(a);
	}
	assert_int_equal(wrong, 0);
}

/* More than are read: what was not is told. */
static void
too_many_are_cut(void **state)
{
	struct view_limits few = view_limits_default;
	struct arena *a = arena_new(64 << 20);
	struct buf mail = { 0 };
	const struct urls *urls;
	struct view *v;

	(void)state;
	few.max_urls = 3;
	buf_puts(&mail, "\r\n");
	for (int i = 0; i < 3; i++)
		buf_printf(&mail, "http://a%d.example/ http://a0.example/\r\n", i);
	urls = view_urls(view_new(buf_str(&mail), &few, a));
	assert_int_equal(urls->n, 3);
	assert_false(urls->cut);
	buf_puts(&mail, "http://b.example/\r\n");
	v = view_new(buf_str(&mail), &few, a);
	urls = view_urls(v);
	assert_int_equal(urls->n, 3);
	assert_true(urls->cut);
	assert_true(v->defects & PN_DEFECT_LIMIT);
	buf_fini(&mail);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_apart_as_browsers_do),
		cmocka_unit_test(the_whole_in_one_form),
		cmocka_unit_test(found_in_text),
		cmocka_unit_test(where_a_message_leads),
		cmocka_unit_test(too_many_are_cut),
	};

	return cmocka_run_group_tests_name("urls", tests, NULL, NULL);
}
