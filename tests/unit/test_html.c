/*
 * html: what of a page is seen, what is hidden, where it leads; attempts to
 * make the one look like the other foremost. Line ends of a text are written
 * "|" in the tables.
 */
#include "cm.h"

#include <stdio.h>

#include "inspect/entity.h"
#include "inspect/html.h"

struct reading {
	struct arena *arena;
	struct buf text, hidden;
	struct html h;
};

static void
read_all(struct reading *r, struct pn_str page)
{
	*r = (struct reading){ .arena = arena_new(16 << 20) };
	r->h = (struct html){ .text = { .out = &r->text },
		.hidden = { .out = &r->hidden },
		.max_links = 100,
		.arena = r->arena };
	assert_int_equal(html_read(&r->h, page), 0);
}

static void
end(struct reading *r)
{
	buf_fini(&r->text);
	buf_fini(&r->hidden);
	arena_free(r->arena);
}

/* "|" for each line end. */
static void
bar(struct buf *b)
{
	for (size_t i = 0; i < buf_len(b); i++)
		if (buf_data(b)[i] == '\n')
			buf_data(b)[i] = '|';
}

static const struct {
	const char *name;
	struct pn_str page;
	const char *text, *hidden;
} pages[] = {
#define SEEN(what, page, text) { what, PN_STR(page), text, "" }
#define BOTH(what, page, text, hidden) { what, PN_STR(page), text, hidden }
	/* blanks and lines */
	SEEN("nothing", "", ""),
	SEEN("text alone", "hello", "hello"),
	SEEN("blanks are one", " a \r\n\t b  ", "a b"),
	SEEN("no-break space is a blank", "a\302\240&nbsp; b", "a b"),
	SEEN("paragraphs are lines", "<p>a</p><p>b<p>c", "a|b|c"),
	SEEN("br", "a<br>b<BR/>c<br />d</br>e", "a|b|c|d|e"),
	SEEN("inline elements do not part", "V<b>i</b>a<i></i>g<u>r</u>a",
	    "Viagra"),
	SEEN("blocks do", "Via<div>gra</div>x", "Via|gra|x"),
	SEEN("cells are words, rows lines",
	    "<table><tr><td>a<td>b</td></tr><tr><td>c</table>d",
	    "a b|c|d"),
	SEEN("lists", "<ul><li>a<li>b</ul>c", "a|b|c"),
	SEEN("pre keeps lines", "<pre>a\nb  c</pre>", "a|b c"),
	SEEN("many lines are one end", "a<p><p><br><br><hr><div>b", "a|b"),

	/* what shows nothing */
	SEEN("soft hyphens", "Vi\302\255ag&shy;ra", "Viagra"),
	SEEN("zero-width blanks and joiners",
	    "Vi\342\200\213a&#8203;g&zwnj;r&zwj;a&#xFEFF;", "Viagra"),
	SEEN("direction marks", "a\342\200\256b&#x202d;c", "abc"),
	SEEN("NUL and controls", "a\0b\1c\x7f"
				 "d",
	    "abcd"),
	SEEN("ideographic blank", "a\343\200\200b", "a b"),
	SEEN("variation selectors", "a\357\270\217b", "ab"),
	SEEN("tag characters", "a\363\240\201\201b", "ab"),

	/* references */
	SEEN("named", "&lt;a&gt; &amp; &quot;&apos;", "<a> & \"'"),
	SEEN("named without semicolon", "&ltb&gt &ampx &copy2", "<b> &x \302\2512"),
	SEEN("longest name wins", "&notin; &notit; &not", "\342\210\211 \302\254it; \302\254"),
	SEEN("two letters", "&fjlig;&nGt;", "fj\342\211\253\342\203\222"),
	SEEN("unknown stays", "&foo; &; & &#; &#x; &1;", "&foo; &; & &#; &#x; &1;"),
	SEEN("decimal", "&#86;&#105&#97gra", "Viagra"),
	SEEN("hexadecimal", "&#x56;&#X69&#x0061;gra", "Viagra"),
	SEEN("leading zeros", "&#000000000000000086;ia", "Via"),
	SEEN("windows-1252", "&#128;&#146;", "\342\202\254\342\200\231"),
	SEEN("out of range", "&#0;&#x110000;&#99999999999999;&#xd800;",
	    "\357\277\275\357\277\275\357\277\275\357\277\275"),
	SEEN("case matters", "&AMP;&Amp;&Eacute;&eacute;",
	    "&&Amp;\303\211\303\251"),
	SEEN("at the end", "a&amp", "a&"),
	SEEN("written tags are text", "&lt;script&gt;x", "<script>x"),

	/* tags */
	SEEN("no tag", "a < b <3 <", "a < b <3 <"),
	SEEN("quotes hide '>'", "<a title='a>b' x=\"c>d\">t", "t"),
	SEEN("unquoted values", "<a href=x>y</a>", "y"),
	SEEN("slashes between", "<img/alt=a/src=b>c", "a/src=bc"),
	SEEN("no blank between attributes", "<img alt=\"a\"src=\"b\">c", "ac"),
	SEEN("odd names", "<x =a \"b' <c>d", "d"),
	SEEN("unknown elements", "<foo:bar baz>a</foo:bar>b", "ab"),
	SEEN("a tag that does not end", "a<b href=\"x", "a"),
	SEEN("end tags of nothing", "a</p>b</zzz>c</>d</ x>e", "a|bcde"),
	SEEN("end tag with attributes", "<b>a</b title='x>y'>c", "ac"),
	SEEN("the first of two attributes", "<img alt=a alt=b>", "a"),
	SEEN("NUL in a tag's name", "<scr\0ipt>a</scr\0ipt>b", "ab"),
	SEEN("long names", "<abcdefghijklmnopqrstuvwxyz0123456789>a", "a"),

	/* comments */
	SEEN("a comment", "a<!-- <b>x --> c", "a c"),
	SEEN("empty ones", "a<!-->b<!--->c<!---->d", "abcd"),
	SEEN("ends with an exclamation mark", "a<!-- x --!>b", "ab"),
	SEEN("dashes in it", "a<!-- - -- --- x --->b", "ab"),
	SEEN("blank before the end is no end", "a<!-- x -- >b-->c", "ac"),
	SEEN("one that does not end", "a<!-- b", "a"),
	SEEN("one in one", "a<!-- <!-- x -->b-->", "ab-->"),
	SEEN("other declarations", "a<!DOCTYPE html>b<!x>c<?php x ?>d</%>e",
	    "abcde"),
	SEEN("CDATA is a comment", "a<![CDATA[b]]>c", "ac"),
	SEEN("CDATA in a drawing is not", "<svg><text><![CDATA[b<i>]]></svg>c",
	    "b<i>c"),
	SEEN("conditional: Outlook sees it", "a<!--[if mso]>b<p>c<![endif]-->d",
	    "ab|c|d"),
	SEEN("conditional: others see it",
	    "a<!--[if !mso]><!-->b<!--<![endif]-->c", "abc"),
	SEEN("conditional, revealed", "a<![if !mso]>b<![endif]>c", "abc"),
	SEEN("conditional: what it closes stays open",
	    "<div style='display:none'><!--[if mso]></div><![endif]--></div>a",
	    "a"),
	SEEN("conditional: a style in it hides nothing for others",
	    "<!--[if mso]><style>p{display:none}<![endif]--><p>a", "a"),

	/* what is no markup */
	SEEN("script", "a<script>if (a</b>) \"<p>\"</script>b", "ab"),
	SEEN("style", "a<style>p { x: y } <b></style>b", "ab"),
	SEEN("end tags in capitals", "a<script>x</SCRIPT >b", "ab"),
	SEEN("no end tag", "a<script>x</scriptx></script", "a"),
	SEEN("title", "<title>a &amp; <b></title>c", "c"),
	BOTH("noframes", "<noframes>a</noframes>b", "b", "a"),
	SEEN("textarea", "<textarea>&lt;b<b></textarea>c", "<b<b>c"),
	SEEN("xmp", "<xmp>&amp;<b></xmp>c", "&amp;<b>|c"),
	SEEN("plaintext", "<plaintext>a</plaintext><b>", "a</plaintext><b>"),
	SEEN("noscript is shown: readers run no scripts",
	    "<noscript><b>a</b></noscript>", "a"),
	BOTH("style in a drawing is markup",
	    "<svg><style><text>a</style></svg>b", "b", "a"),
	SEEN("a paragraph ends the drawing", "<svg><style><p>a", "a"),
	BOTH("a title in a drawing", "<svg><title>x</title></svg>b", "b", "x"),

	/* hidden by style */
	BOTH("display none", "a<span style=\"display:none\">b</span>c", "ac",
	    "b"),
	BOTH("display none, written oddly",
	    "<p STYLE='x:y;DISPLAY : NONE ! important; z'>a</p>b", "b", "a"),
	BOTH("with comment and escapes",
	    "<p style='disp/**/x:y;d\\69splay:no\\6e e'>a</p>b", "b", "a"),
	BOTH("with references", "<p style='display&#58;&#110;one'>a</p>b", "b",
	    "a"),
	BOTH("the later one counts",
	    "<p style='display:none;display:block'>a</p>"
	    "<p style='display:none!important;display:block'>b</p>",
	    "a", "b"),
	BOTH("inside what is gone nothing is seen",
	    "<div style=display:none><p style=display:block>a</div>b", "b",
	    "a"),
	BOTH("invisible", "<p style='visibility:hidden'>a<b "
			  "style='visibility:visible'>b</b></p>c",
	    "b|c", "a"),
	BOTH("tiny letters", "<p style='font-size:1px'>a</p>"
			     "<p style='font-size:0'>b</p>"
			     "<p style='font:0/0 x'>c</p>"
			     "<p style='font-size:1pt'>d</p>"
			     "<p style='font-size:12px'>e</p>",
	    "e", "a|b|c|d"),
	BOTH("tiny by parts of tiny",
	    "<div style='font-size:1px'><p style='font-size:1.2em'>a"
	    "<p style='font-size:14px'>b</div>",
	    "b", "a"),
	BOTH("white on white", "<p style='color:#fff'>a</p>b<font "
			       "color=white>c</font>",
	    "b", "a|c"),
	BOTH("nearly white", "<font color='#FEFEFB'>a</font>b", "b", "a"),
	SEEN("white on black",
	    "<table bgcolor=black><tr><td><font color=#ffffff>a</table>", "a"),
	BOTH("black on black", "<div style='background:#000'>a</div>b", "b",
	    "a"),
	SEEN("white on a picture",
	    "<td background=x.png><p style=color:white>a", "a"),
	SEEN("white on a gradient",
	    "<p style='background:linear-gradient(red, blue);color:white'>a",
	    "a"),
	SEEN("a link is blue", "<p style='background:#000'><a href=x>a</a>",
	    "a"),
	BOTH("rgb", "<p style='color:rgb(255, 255, 255)'>a</p>"
		    "<p style='color:rgba(0,0,0,0)'>b</p>"
		    "<p style='color:rgb(0 0 0 / 100%)'>c</p>",
	    "c", "a|b"),
	BOTH("transparent", "<p style='color:transparent'>a</p>"
			    "<p style='opacity:0'>b</p>"
			    "<p style='opacity:0.5'>c</p>",
	    "c", "a|b"),
	BOTH("no height", "<div style='max-height:0;overflow:hidden'>a</div>"
			  "<div style='height:0'>b</div>",
	    "b", "a"),
	BOTH("the attribute", "<p hidden>a</p><p hidden style=display:block>b",
	    "b", "a"),
	BOTH("Outlook alone hides it", "<p style='mso-hide:all'>a</p>b", "a|b",
	    "a"),
	BOTH("alt text of a hidden picture",
	    "<img alt=a style=display:none><img alt=b>", "b", "a"),
	BOTH("body colours", "<body bgcolor=#ffffff text=#ffffff>a<font "
			     "color=red>b</font>",
	    "b", "a"),

	/* by style sheet */
	BOTH("a class", "<style>.x { display: none }</style><p class='y x'>a<p>b",
	    "b", "a"),
	BOTH("an id, a tag, a tag with a class",
	    "<style>#i{display:none}u{display:none}b.c{display:none}</style>"
	    "<p id=i>a<p><u>b</u><b>c</b><b class=c>d</b>",
	    "c", "a|b d"),
	SEEN("inline over class",
	    "<style>.x{display:none}</style><p class=x style=display:block>a",
	    "a"),
	BOTH("important over inline",
	    "<style>.x{display:none !important}</style>"
	    "<p class=x style=display:block>a",
	    "", "a"),
	BOTH("list of selectors", "<style>a,.x , #y{display:none}</style><p "
				  "class=x>a<p id=y>b<p>c",
	    "c", "a|b"),
	SEEN("print is not the screen",
	    "<style>@media print{.x{display:none}}</style><p class=x>a", "a"),
	SEEN("a sheet in a comment is none",
	    "<!-- <style>p{display:none}</style> --><p>a", "a"),
	SEEN("a commented rule is none",
	    "<style>/* p{display:none} */</style><p>a", "a"),
	BOTH("a sheet behind the text",
	    "<p class=x>a</p>b<style>.x{display:none}</style>", "b", "a"),
	SEEN("white, but who knows on what",
	    "<style>table td p{background:black}</style><p style=color:#fff>a",
	    "a"),
	BOTH("HTML comments in a sheet",
	    "<style><!-- .x{display:none} --></style><p class=x>a</p>b", "b",
	    "a"),

	/* what is closed although it does not look so, and the reverse */
	BOTH("a paragraph ends at a block",
	    "<p style=display:none>a<div>b</div>", "b", "a"),
	BOTH("a cell ends at the next",
	    "<table><tr><td style=display:none>a<td>b<tr><td>c</table>", "b|c",
	    "a"),
	BOTH("a row ends at the next",
	    "<table><tr style=display:none><td>a<tr><td>b</table>", "b", "a"),
	BOTH("an item ends at the next", "<ul><li hidden>a<li>b</ul>", "b",
	    "a"),
	BOTH("an outer end closes what is inside",
	    "<div><span hidden>a</div>b", "b", "a"),
	BOTH("a wrong end closes nothing",
	    "<div hidden>a</span>b</p>c</div>d", "d", "ab|c"),
	BOTH("a cell keeps its table open",
	    "<div hidden><table><tr><td>a</div>b</table></div>c", "c", "a|b"),
	BOTH("formatting ends across a block",
	    "<font style=font-size:0>a<div>b</font>c</div>d", "c|d", "a|b"),
	BOTH("span does not", "<div><span hidden>a<div>b</span>c</div></div>d",
	    "d", "a|bc"),
	BOTH("a second body hides nothing",
	    "<body>a<body style=display:none>b", "ab", ""),
	BOTH("template", "<template>a</template>b", "b", "a"),

	/* in place of text */
	SEEN("alt", "a <img alt='b &amp; c' src=x> d", "a b & c d"),
	SEEN("buttons", "<input type=submit value=Go><button>Now</button>",
	    "Go Now"),
	SEEN("hidden fields", "<input type=hidden value=x>a", "a"),
	SEEN("options", "<select><option>a<option>b</select>", "a|b"),
};

static void
what_is_seen_and_what_not(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(pages); i++) {
		struct reading r;
		struct pn_str text = pn_str_of(pages[i].text);
		struct pn_str hidden = pn_str_of(pages[i].hidden);

		read_all(&r, pages[i].page);
		bar(&r.text);
		bar(&r.hidden);
		if (!pn_str_eq(buf_str(&r.text), text) ||
		    !pn_str_eq(buf_str(&r.hidden), hidden)) {
			print_error("%s: \"%.*s\" hidden \"%.*s\", not "
				    "\"%s\" hidden \"%s\"\n",
			    pages[i].name, PN_STR_ARG(buf_str(&r.text)),
			    PN_STR_ARG(buf_str(&r.hidden)), pages[i].text,
			    pages[i].hidden);
			wrong++;
		}
		end(&r);
	}
	assert_int_equal(wrong, 0);
}

/* ---- links ---- */

static const struct {
	const char *name;
	struct pn_str page;
	const char *want; /* "kind target[text] ..." */
} linked[] = {
#define LINKS(what, page, links) { what, PN_STR(page), links }
	LINKS("a", "x<a href=\"http://a/\">b <b>c</b></a>d", "link http://a/[b c]"),
	LINKS("an anchor is none", "<a name=x>b</a>", ""),
	LINKS("references in it", "<a href='a?b&amp;c&#61;d&copy=e'>x",
	    "link a?b&c=d&copy=e[x]"),
	LINKS("blanks around it", "<a href=' \n a '>x", "link a[x]"),
	LINKS("an unclosed one ends at the next",
	    "<a href=a>b<a href=c>d</a>e", "link a[b] link c[d]"),
	LINKS("unclosed at the end of its block",
	    "<div><a href=a>b</div>c", "link a[b|c]"),
	LINKS("its block is closed before it", "<p><a href=a></p>b</a>c",
	    "link a[b]"),
	LINKS("unclosed in a cell", "<td><a href=a>b</td>c", "link a[b]"),
	LINKS("one around cells", "<a href=a><table><td>b</a>c<td><a href=d>e"
				  "</a>f</table>g</a>h",
	    "link a[bc ef|g] link d[e]"),
	LINKS("in a formula what is a style elsewhere",
	    "<math><desc><style><img src=a></style>", "image a[]"),
	LINKS("in a drawing, too", "<svg><section><style><a href=a>b",
	    "link a[]"),
	LINKS("HTML ends it", "<svg><br><style><a href=a></style><a href=b>c",
	    "link b[c]"),
	LINKS("styles in other words",
	    "<p style='x:URL(a);y:\\75rl( \"b\" )'><style>@import 'c';"
	    "@import url(d)</style>",
	    "image a[] image b[] other c[] image d[]"),
	LINKS("several pictures", "<img srcset='a 1x,b 2x, c,d'>",
	    "image a[] image b[] image c,d[]"),
	LINKS("a picture in it is its text",
	    "<a href=a><img src=i alt=b></a>", "link a[b] image i[]"),
	LINKS("map", "<area href=a alt=b>", "link a[]"),
	LINKS("form", "<form action=a><button formaction=b>",
	    "form a[] form b[]"),
	LINKS("pictures", "<img src=a><td background=b><input type=image src=c>"
			  "<p style='background:url(\"d\")'>"
			  "<style>p{background:url( e )}</style>",
	    "image a[] image b[] image c[] image d[] image e[]"),
	LINKS("others", "<link href=a><script src=b></script><iframe "
			"src=c></iframe><object data=d><embed src=e>",
	    "other a[] other b[] other c[] other d[] other e[]"),
	LINKS("refresh",
	    "<meta http-equiv=Refresh content='0; URL=http://a/'>"
	    "<meta http-equiv=refresh content=\"5;url='b' x\">"
	    "<meta http-equiv=refresh content=3,c>"
	    "<meta http-equiv=refresh content='3'>",
	    "refresh http://a/[] refresh b[] refresh c[]"),
	LINKS("in a drawing", "<svg><a xlink:href=a><text>b</a></svg>",
	    "link a[b]"),
	LINKS("Outlook's", "<!--[if mso]><v:roundrect href=a><![endif]-->"
			   "<a href=b>c</a>",
	    "link a[] link b[c]"),
	LINKS("not in a comment", "<!-- <a href=a> -->", ""),
	LINKS("not in a script", "<script>'<a href=a>'</script>", ""),
	LINKS("scripts", "<a href='java&Tab;script:x'>y",
	    "link java\tscript:x[y]"),
	LINKS("hidden letters do not count",
	    "<a href=a>x<span hidden>y</span></a>", "link a[x]"),
};

static void
where_it_leads(void **state)
{
	static const char *const kinds[] = { "link", "image", "form", "refresh",
		"other" };
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(linked); i++) {
		struct reading r;
		struct buf got = { 0 };

		read_all(&r, linked[i].page);
		bar(&r.text);
		for (size_t k = 0; k < r.h.n_links; k++) {
			const struct html_link *l = &r.h.links[k];
			struct pn_str s = pn_str_trim(pn_str_sub(
			    buf_str(&r.text), l->from, l->to - l->from));

			buf_printf(&got, "%s%s %.*s[%.*s]", k ? " " : "",
			    kinds[l->kind], PN_STR_ARG(l->target),
			    PN_STR_ARG(s));
		}
		if (!pn_str_eq(buf_str(&got), pn_str_of(linked[i].want))) {
			print_error("%s: \"%.*s\", not \"%s\"\n",
			    linked[i].name, PN_STR_ARG(buf_str(&got)),
			    linked[i].want);
			wrong++;
		}
		buf_fini(&got);
		end(&r);
	}
	assert_int_equal(wrong, 0);
}

static void
a_base_and_too_many(void **state)
{
	struct reading r;
	struct buf page = { 0 };

	(void)state;
	read_all(&r, PN_STR_V("<base href=' http://a/ '><base href=b>"));
	assert_true(pn_str_eq(r.h.base, PN_STR_V("http://a/")));
	assert_int_equal(r.h.n_links, 0);
	end(&r);
	for (int i = 0; i < 101; i++)
		buf_puts(&page, "<a href=x>");
	read_all(&r, buf_str(&page));
	assert_int_equal(r.h.n_links, 100);
	assert_true(r.h.more);
	end(&r);
	buf_fini(&page);
}

static void
charsets_of_pages(void **state)
{
	static const struct {
		const char *page, *want;
	} cases[] = {
		{ "<meta charset=koi8-r>", "koi8-r" },
		{ "x<META http-equiv=content-type content='text/html; charset "
		  "= Big5 ; x'>",
		    "Big5" },
		{ "<meta name=x><meta charset=\"a\">", "a" },
		{ "<metal charset=x>", "" },
		{ "<meta content='charset x'>", "" },
		{ "<p>charset=x", "" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		if (!pn_str_eq(html_charset(pn_str_of(cases[i].page)),
			pn_str_of(cases[i].want)))
			fail_msg("%s", cases[i].page);
}

/* Every name is found, and none without its ';' that should not be. */
static void
all_references(void **state)
{
	(void)state;
	assert_int_equal(entity_n_names, 2125);
	for (size_t i = 0; i < entity_n_names; i++) {
		const struct entity_name *e = &entity_names[i];
		char text[64], room[4];
		struct pn_str got = PN_STR("");
		int n = snprintf(text, sizeof(text), "&%s;", e->name);

		assert_true(
		    i == 0 || strcmp(entity_names[i - 1].name, e->name) < 0);
		assert_int_equal(entity_read((struct pn_str){ text, (size_t)n },
				     false, room, &got),
		    n);
		assert_true(pn_str_eq(got, pn_str_of(e->text)));
		n = (int)entity_read((struct pn_str){ text, (size_t)n - 1 },
		    false, room, &got);
		assert_true(e->bare ? n == (int)strlen(e->name) + 1 :
				      n < (int)strlen(e->name) + 1);
	}
}

/* Bytes no page should hold, nested without end: read in time, in bounds. */
static void
nothing_is_too_odd(void **state)
{
	static const char *const pieces[] = { "<div>", "<b>", "</b>", "<p ",
		"<td>", "<table>", "<!--", "-->", "&#", "<a href='", "'", ">",
		"<style>p{", "}</style>", "</div>", "\xff", "<svg>", "<li>",
		"<![CDATA[", "]]>", "<!--[if x]>", "text ", "=", "\"", "/",
		"<font style='font-size:0;color:#fff'>", "</font>", "<x>",
		"</x>", "<script>", "</script" };
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct buf page = { 0 };
		struct reading one, two;

		for (int i = 0; i < 400; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			buf_puts(&page,
			    pieces[(seed >> 33) % PN_COUNT(pieces)]);
		}
		read_all(&one, buf_str(&page));
		read_all(&two, buf_str(&page));
		assert_true(
		    pn_str_eq(buf_str(&one.text), buf_str(&two.text)));
		assert_int_equal(one.h.n_links, two.h.n_links);
		for (size_t i = 0; i < one.h.n_links; i++)
			assert_true(one.h.links[i].from <= one.h.links[i].to &&
			    one.h.links[i].to <= buf_len(&one.text));
		end(&one);
		end(&two);
		buf_fini(&page);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_seen_and_what_not),
		cmocka_unit_test(where_it_leads),
		cmocka_unit_test(a_base_and_too_many),
		cmocka_unit_test(charsets_of_pages),
		cmocka_unit_test(all_references),
		cmocka_unit_test(nothing_is_too_odd),
	};

	return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}
