/*
 * literal - see literal.h. The sets are those of RE2's FilteredRE2 ("exact" and
 * what is required), chosen by how rare they are in mail rather than by length:
 * "http" is a bad thing to look for, "xq" a good one.
 *
 * Everything here errs to one side: a set may have strings that no match has,
 * it never lacks one.
 */
#include "rules/literal.h"

#define RARE_ENOUGH (26 * 4) /* a longer window would find nothing less */
#define LITERAL_RARITY_MIN (10 * 4)
#define COPIES_MAX 4 /* of x in x{n}, the rest is a gap */
#define LENGTH_MAX (1u << 30)

/* ---- how common bytes are ---- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

#define KINDS 42
#define KIND_DIGIT 26
#define KIND_OTHER 40
#define KIND_HIGH 41

static unsigned
kind_of(unsigned char c)
{
	static const char marks[] = " \n./-:=@<>\",_";
	const char *at;

	if (c >= 'A' && c <= 'Z')
		c |= 32;
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= '0' && c <= '9')
		return KIND_DIGIT;
	if (c == '\r')
		c = '\n';
	at = c == '\0' ? NULL : strchr(marks, c);
	if (at != NULL)
		return KIND_DIGIT + 1 + (unsigned)(at - marks);
	return c > ' ' && c < 127 ? KIND_OTHER : KIND_HIGH;
}

/*
 * Counted in 32 MB of mail as it was sent: how seldom a byte of one kind is
 * followed by one of another, a to z, digit, blank, line end, the marks above,
 * other, high or control. In quarters of a bit: 0-9 A-Z a-z stand for 0 to 61.
 */
static const char alone[] = "IOLLGNOMIWTKMJINYJIHOSPUQVFCMMOOQQXQPQVVMW";
static const char *const behind[KINDS] = {
	"JLIJXUKSFaSDICZNZFEENPSXOTNIXPaajabiRVTmYp",
	"IQRTCVLTJJWEPQEWWEESHUSXEWHRXNYanVdnIehfVn",
	"DSMSBVUGKXIJUQ8UYJRHNZYbSbKRaNacXNgmmbfeWq",
	"HVSMCXSRGZZTNQIYUNMHOUVXPbJ9PPWOHPcdJGOcPl",
	"KRIGMMSaJeYJNFVOTCFGaQRMTdRCQLXPMKbZRYRfTo",
	"HVTWHFYZGYYSWX7XZBULOZWYVYJFTUZRlLcleJaiUo",
	"KTMTCUSFFWXMMHLTWIOTNURXRUIAKPSQQLRcKXVeSl",
	"DVWW8ZZZFYZVQNCUXIWCNZabTYPEUQaRRIZgihYdYn",
	"LOHGLLIXJaVFJ9IQYNEFYIdRdNUQYZacufnpXiWrVp",
	"FOOQBQQPMPPMARHLQROQBPOOOOFcUYUczfdtgjpjTj",
	"KQRRBTMPGRSOPLPQOQHKPTTUPRIDKINIbTJbNQRZJi",
	"FVUMCWYJAZQFOWDOcYLKKQYbJZQFSKUQZZXfVTQdSl",
	"8PUTCWMPGYbOOXHKZXLJPWZUQWPDMRIPQeNbLWWePj",
	"KOJFCOEZMZPPXRHVaZIAMSabQaTETJSNQOReYZPgOk",
	"VQJNWKOYUbTJCBNLeAHJFQMYZaVHYSTVMchjqjclao",
	"CUSQEYQKMVYGJZGMZFMKLZYUSXOEVRVVEXggKWagIo",
	"JNNPNOKPNOMNJPJMFPOO8OOOOPETUKTRfIjdhiedOh",
	"HYKKAYHZFcKRONDMcQHLQRYeOdSERPaQRLYdISWdXm",
	"IWMXERaKFcVPLWIHbPFBIaUdTZSCRIQPTWSXcaPgSn",
	"IYTLETcBGfdSPSFIfJNINcVdNcSCPIRMSMSeLWUcNl",
	"LFLOHVGYMZTEMEQJZCDFYYZLTVPJWPZdsfflWnPlTp",
	"EPPP4UUUDUURTVLUUUQTRUVUQQJQWTWXbWdlQlggWk",
	"FUUTDUTH8WWSTKGWWNKVVTCUUWKIVFVReceelfYcUn",
	"IRMRCSSRJPSQGPSJRQRERQSPRSGIUFTCZZafhXUdGj",
	"LPTSMUVXPWXMQPCIWSKQVXOTGTK7JLWNOTMWRWNZOh",
	"KRNJ9TOPKQSHLRGPSRNNQPLMPAHTUNTVkZMikhhiUk",
	"SSRJSSXXVXWWWWYUYXXXXXYYXX4FLEQRJSVaTLVcJm",
	"HKKONJQLISYNLPLNbOIGSTJbQeH8OgcRhWnKXXumId",
	"NRKLPNVNMZaKLUQOcGKKUYQKUaRACdWQlSoFIVrYOF",
	"QUBSRSLQMWaORFGQfTHJTaVWXV7FJMpnnguTuXizXi",
	"IIKOQGUOLZcKMSUKbPLETZHRcbGXPk6gxhrmRYzmSw",
	"IOQLPPZRLbYMKTSKfLIGLNQdbPCKRmh6zSzgQmzkWr",
	"bebeYPkdcjrfdZjdvSVZgdghoj84NmBdXlzVxlzkVb",
	"ONORTSgSagpabcjchYRVOcfrln6WFzkQvDznf7zVQs",
	"MOMKGGUMOHV8JIXMfMCPUWOEMdSacohmrjZjlxjuQi",
	"JCSRTEZKHKcSJcSJgPOCXfWlcVLknz7pzexckyzzPz",
	"UZSWYWZUVejYWXYWjXUTddWpZlVC6YtdmPt7ShMnGc",
	"MSNZZTXFSagUPZcWmSRNXPWkekA7NZfRmYse9SaVHm",
	"VlekmhcTfqtljllemhVhqehqnqJ1FpzvzclYzVfzVf",
	"TNRRUWXWTeZUVQZTeTSSaYYeegJWOlbdijucxoq1Zo",
	"QTQRNKXUMUbORKXLQRIOUVXacdA9DVYSbaiOYPYfBc",
	"XETcaEeaTaibVYZahaUVgdahfgUJIYjgpbjEkeflM3",
};

/*
 * Bytes may be rare in that order and the text in every mail all the same. Each
 * three and each four bytes of one of these are in a fifth of all mails.
 */
static const char common[] =
    "\nmessage-id: <|>\ndate: text/plain; charset=\"iso-|>\nfrom: \"|>\nsub"
    "ject: re: bulk\n| (postfix) with esmtp id | (ist)\nreceived: fro|rom l"
    "ocalhost will the service |he for <|e.com>\nto: <|return-path: <|]) by"
    "\n    <|\"\ncontent-type: |ecedencoding that this and to be |>\nx-mail"
    " |rated by look |>\nmime-version: |ng list (loc|\nx-beenthere:|\nsends"
    " of thou|th imap (|tication th| just [|red friender: |is is s|e you w|"
    "ies are in to|: http://www.|t-transfer-ence: |s infor\n  |t main a s|e"
    "sting: | (edt)\n|.net (jalapeno [|he produc|\nprec|ere th|es on inter "
    "th|e have to|   (|\nyour |s not |is th|sed th|>;\n  |he it was a p|th "
    "smt| use t|ailman-ve|ailing.|he con|t out to|formati| all |table t|t c"
    "om/|e can any |he rec|he one |\n\nthing=|e.\n\n\n\n----\n|com jal|aile"
    "r:|ement t|\nx-oright |e off|t ress | or to| at inc| don't | work|>,\n"
    "  |es to|\nto th|causers |age |\nreply-to:|)\n  | would | some t| her "
    "a f| time | every |comp| if yo| as |he more an e|ound an|com\n|ance | "
    "emai|centi|, but is|ions |ng a| ver o|om (|tive a c| disc|ically th|  "
    " [| microsoft |et=us-ascii\n|, an|he new |ture subscript| please |port"
    "|@loc|rnings|he line | get [| mes| net\n  |e free | know |est t|\nthen"
    " t|, th|king\n| othey |ate |riginal | about|s read|thange|he wi|) id\n"
    "  |   wi|xt/html|e stat| what|t of|ked a l|net>\n|hit it's |ved only |"
    "asterne|end inst|using| do |to remover|own |at an|-pring|or an| like |"
    "ough |s fo|to s|-dat|actio| see| which | exp| want fo| when| we |ion.|"
    "comm| per|order i|een |he bee|t has | sho| sen| part|click | wrote:\n|"
    "ail.|e make |ded i|y to|: now| my |s cou| hel|. th|th th|ional|chan |r"
    "ente|om th|ority | group|e is|ect |ssio| rep| so |tain|g to|t a m|rint"
    "a| ours|to a|\non a| add|ng i|ents |\n____\n|es, |om m|t yo| up | tra|"
    "e no |itio|ish |even |body| pres| head|name |e file|liver|on of|ptio| "
    "man| face|>\n  | how |\n-- \n|s wi|ite |cial | pla| fin|hare|d colo|in"
    "ess|ple | inv|ng o|ages|of r|ell |rati|ind s|ving|.org|d: (|by m|  th|"
    " (pdt)| spec|mber |s.co|to c|\nhtt|come|tter|hink |cess| need |d wi| d"
    "oes| mon|ail-| who|to g|ast |erve|or m|t bec|seri|ng s|ou c|he de| app"
    "|nati|to m|ffer|llow|ely |he t|nd of|ned |\ncc: |re <|om [|s.\n\n|om u"
    "|spon|>, <|he ar|of a|tly |back|th a|   b|er, |ard | size| pos|quot|to"
    " d| mark|ng f|r yo|s be|them| cla|   i|d be|system| nor|the\n|ont s|re"
    "al|ose |into|ount|t on|n yo|is m|take|prob|news|networ|reat|prov| sec|"
    "rohi|nlin|he e|rior|s fr| acc|ity:|stan|ced |\nx-a|uch |ent:|equi";

static unsigned
hash_of(const char *p, size_t n)
{
	uint32_t h = 2166136261u + (uint32_t)n;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return (h ^ h >> 16) % COMMON_BITS;
}

void
analysis_init(struct analysis *l, struct arena *scratch)
{
	*l = (struct analysis){ .scratch = scratch };
	for (size_t n = 3; n <= 4; n++)
		for (const char *p = common; p[n - 1] != '\0'; p++)
			if (memchr(p, '|', n) == NULL) {
				unsigned h = hash_of(p, n);

				l->common[h / 64] |= (uint64_t)1 << h % 64;
			}
}

/* Is all of the window one of those, or made of them? CR LF is one LF. */
static bool
is_common(const struct analysis *l, struct pn_str w)
{
	size_t piece = w.n < 4 ? w.n : 4;
	char text[WINDOW_MAX];

	if (w.n < 3)
		return false;
	for (size_t i = 0; i < w.n; i++)
		text[i] = w.p[i] == '\r' ? '\n' : lower(w.p[i]);
	for (size_t i = 0; i + piece <= w.n; i++) {
		unsigned h = hash_of(text + i, piece);

		if ((l->common[h / 64] >> h % 64 & 1) == 0)
			return false;
	}
	return true;
}

static int
quarters(char c)
{
	return c <= '9' ? c - '0' : c <= 'Z' ? c - 'A' + 10 : c - 'a' + 36;
}

/* What a kind of many bytes hides of one of them. */
static int
within_kind(unsigned kind)
{
	return kind == KIND_DIGIT   ? 13
	       : kind == KIND_OTHER ? 16
	       : kind == KIND_HIGH  ? 20
				    : 0;
}

static int
rarity_alone(char c)
{
	unsigned kind = kind_of((unsigned char)c);

	return quarters(alone[kind]) + within_kind(kind);
}

static int
rarity_behind(char before, char c)
{
	unsigned kind = kind_of((unsigned char)c);

	return quarters(behind[kind_of((unsigned char)before)][kind]) +
	       within_kind(kind);
}

int
literal_rarity(struct pn_str s)
{
	int rarity = s.n > 0 ? rarity_alone(s.p[0]) : 0;

	for (size_t i = 1; i < s.n; i++)
		rarity += rarity_behind(s.p[i - 1], s.p[i]);
	return rarity;
}

/* ---- bytes ---- */

void
bytes_add(struct bytes *b, unsigned char c)
{
	b->has[c / 64] |= (uint64_t)1 << c % 64;
}

bool
bytes_have(const struct bytes *b, unsigned char c)
{
	return b->has[c / 64] >> c % 64 & 1;
}

static void
bytes_join(struct bytes *to, const struct bytes *b)
{
	for (int i = 0; i < 4; i++)
		to->has[i] |= b->has[i];
}

/* 2 to the power of minus so many quarters. */
static double
share_of(int rarity)
{
	static const double roots[] = { 1, 0.8409, 0.7071, 0.5946 };

	return roots[rarity % 4] / (double)((uint64_t)1 << rarity / 4);
}

static double
bytes_share(const struct bytes *b)
{
	double share = 0;

	for (unsigned c = 0; c < 256; c++)
		if (bytes_have(b, (unsigned char)c))
			share += share_of(rarity_alone((char)c));
	return share;
}

/* ---- ranges ---- */

static uint32_t
add(uint32_t a, uint32_t b)
{
	return a >= LENGTH_MAX || b >= LENGTH_MAX - a ? UNBOUND : a + b;
}

static uint32_t
times(uint32_t a, uint32_t n)
{
	return a == 0 || n == 0 ? 0 : a >= LENGTH_MAX / n ? UNBOUND : a * n;
}

/* A text of more than LENGTH_MAX bytes there is not: its least is that. */
static struct range
range_add(struct range a, struct range b)
{
	uint32_t min = add(a.min, b.min);

	return (struct range){ min == UNBOUND ? LENGTH_MAX : min,
		add(a.max, b.max) };
}

static struct range
range_hull(struct range a, struct range b)
{
	return (struct range){ a.min < b.min ? a.min : b.min,
		a.max > b.max ? a.max : b.max };
}

static uint32_t
at_most(uint64_t n, uint32_t most)
{
	return n < most ? (uint32_t)n : most;
}

/* ---- strings ---- */

static void *
take(struct analysis *l, size_t n)
{
	void *p = arena_alloc(l->scratch, n);

	if (p == NULL)
		l->failed = true;
	return p;
}

static struct strings
strings_new(struct analysis *l, uint32_t n, bool fold)
{
	struct strings set = { take(l, n * sizeof(struct pn_str)), n, fold };

	if (set.s == NULL)
		set.n = 0;
	return set;
}

/* The set of the empty text alone: every text begins with it. */
static struct strings
strings_any(struct analysis *l)
{
	struct strings set = strings_new(l, 1, false);

	if (set.n > 0)
		set.s[0] = (struct pn_str){ "", 0 };
	return set;
}

static struct pn_str
glued(struct analysis *l, struct pn_str a, struct pn_str b, bool fold)
{
	char *p = take(l, a.n + b.n);

	if (p == NULL)
		return (struct pn_str){ "", 0 };
	for (size_t i = 0; i < a.n; i++)
		p[i] = fold ? lower(a.p[i]) : a.p[i];
	for (size_t i = 0; i < b.n; i++)
		p[a.n + i] = fold ? lower(b.p[i]) : b.p[i];
	return (struct pn_str){ p, a.n + b.n };
}

static size_t
longest(const struct strings *set)
{
	size_t n = 0;

	for (uint32_t i = 0; i < set->n; i++)
		n = set->s[i].n > n ? set->s[i].n : n;
	return n;
}

static bool
strings_has(const struct strings *set, struct pn_str s)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (pn_str_eq(set->s[i], s))
			return true;
	return false;
}

/* Each of a with each of b behind it; false: too many, too long. */
static bool
strings_product(struct analysis *l, const struct strings *a,
    const struct strings *b, struct strings *out)
{
	bool fold = a->fold || b->fold;

	if (a->n * b->n > SET_MAX || longest(a) + longest(b) > STRING_MAX)
		return false;
	*out = strings_new(l, a->n * b->n, fold);
	out->n = 0;
	for (uint32_t i = 0; i < a->n && !l->failed; i++)
		for (uint32_t k = 0; k < b->n && !l->failed; k++) {
			struct pn_str s = glued(l, a->s[i], b->s[k], fold);

			if (!strings_has(out, s))
				out->s[out->n++] = s;
		}
	return true;
}

static bool
strings_union(struct analysis *l, const struct strings *a,
    const struct strings *b, struct strings *out)
{
	bool fold = a->fold || b->fold;

	if (a->n + b->n > SET_MAX)
		return false;
	*out = strings_new(l, a->n + b->n, fold);
	out->n = 0;
	for (uint32_t i = 0; i < a->n + b->n && !l->failed; i++) {
		struct pn_str from = i < a->n ? a->s[i] : b->s[i - a->n];
		struct pn_str s =
		    glued(l, from, (struct pn_str){ "", 0 }, fold);

		if (!strings_has(out, s))
			out->s[out->n++] = s;
	}
	return true;
}

/* ---- literals ---- */

/* The rarest WINDOW_MAX bytes of s, or fewer that are rare enough. */
static struct pn_str
window_of(const struct analysis *l, struct pn_str s, int *rarity)
{
	struct pn_str best = { s.p, 0 };

	*rarity = -1;
	for (size_t i = 0; i < s.n; i++) {
		int sum = rarity_alone(s.p[i]);

		for (size_t n = 1;; n++) {
			bool last = n == WINDOW_MAX || i + n == s.n;
			int worth = sum;

			if ((last || sum >= RARE_ENOUGH) && sum > *rarity &&
			    sum > LITERAL_RARITY_MIN &&
			    is_common(l, pn_str_sub(s, i, n)))
				worth = LITERAL_RARITY_MIN;
			if (worth > *rarity && (last || worth >= RARE_ENOUGH)) {
				*rarity = worth;
				best = pn_str_sub(s, i, n);
			}
			if (last || worth >= RARE_ENOUGH)
				break;
			sum += rarity_behind(s.p[i + n - 1], s.p[i + n]);
		}
	}
	return best;
}

/* Of many, one is found more often. */
static int
rarity_of_set(int least, uint32_t n)
{
	for (; n > 1; n /= 2)
		least -= 4;
	return least;
}

/* The set, cut to its windows, that far behind the beginning. */
static struct literals
literals_of(struct analysis *l, const struct strings *set, struct range at)
{
	struct range cut = { UNBOUND, 0 };
	struct literals out = { .set.fold = set->fold };
	int least = INT32_MAX;

	out.set = strings_new(l, set->n, set->fold);
	out.set.n = 0;
	for (uint32_t i = 0; i < set->n && !l->failed; i++) {
		int rarity;
		struct pn_str w = window_of(l, set->s[i], &rarity);
		struct range here = { (uint32_t)(w.p - set->s[i].p),
			(uint32_t)(w.p - set->s[i].p) };

		if (w.n == 0)
			return (struct literals){ .rarity = -1 };
		cut = range_hull(cut, here);
		least = rarity < least ? rarity : least;
		if (!strings_has(&out.set, w))
			out.set.s[out.set.n++] = w;
	}
	out.before = range_add(at, cut);
	out.rarity = rarity_of_set(least, out.set.n);
	return out;
}

/* A known place is worth some rarity: the search starts there. */
static int
worth(const struct literals *a)
{
	if (a->set.n == 0)
		return -1;
	return a->rarity + (a->before.max < 256 ? 16 : 0);
}

static void
consider(struct literals *best, struct literals other)
{
	if (worth(&other) > worth(best))
		*best = other;
}

static void
consider_strings(struct analysis *l, struct literals *best,
    const struct strings *set, struct range at)
{
	consider(best, literals_of(l, set, at));
}

static void
consider_behind(
    struct literals *best, const struct literals *other, struct range at)
{
	struct literals moved = *other;

	moved.before = range_add(at, other->before);
	consider(best, moved);
}

struct literals
part_literals(struct analysis *l, const struct part *p)
{
	struct literals best = p->best;

	consider_strings(l, &best, &p->head, (struct range){ 0, 0 });
	if (!p->exact)
		consider_strings(l, &best, &p->tail, p->tail_at);
	if (best.rarity < LITERAL_RARITY_MIN)
		best = (struct literals){ .rarity = -1 };
	return best;
}

/* ---- parts ---- */

struct part
part_empty(struct analysis *l)
{
	struct strings any = strings_any(l);

	return (struct part){ .exact = true,
		.head = any,
		.tail = any,
		.best = { .rarity = -1 },
		.ways = 1 };
}

struct part
part_string(struct analysis *l, struct pn_str s, bool fold)
{
	struct part p = part_empty(l);

	if (l->failed)
		return p;
	p.head.s[0] = glued(l, s, (struct pn_str){ "", 0 }, fold);
	p.head.fold = fold;
	p.tail = p.head;
	p.length = (struct range){ (uint32_t)s.n, (uint32_t)s.n };
	p.span = (uint32_t)s.n;
	if (s.n > 0) {
		unsigned char first = (unsigned char)s.p[0];
		unsigned char last = (unsigned char)s.p[s.n - 1];

		bytes_add(&p.first, first);
		bytes_add(&p.last, last);
		if (fold && kind_of(first) < KIND_DIGIT)
			bytes_add(&p.first, first ^ 32);
		if (fold && kind_of(last) < KIND_DIGIT)
			bytes_add(&p.last, last ^ 32);
	}
	return p;
}

/* Each byte of the set as a string of its own. */
static void
spell_out(struct analysis *l, struct part *p, bool fold)
{
	struct strings all = { NULL, 0, fold };
	char *letters = take(l, SET_MAX);

	all.s = take(l, SET_MAX * sizeof(*all.s));
	for (unsigned c = 0; c < 256 && !l->failed; c++) {
		if (!bytes_have(&p->first, (unsigned char)c))
			continue;
		letters[all.n] = fold ? lower((char)c) : (char)c;
		all.s[all.n] = (struct pn_str){ &letters[all.n], 1 };
		if (!strings_has(&all, all.s[all.n]))
			all.n++;
	}
	p->exact = true;
	p->head = p->tail = all;
	p->tail_at = (struct range){ 0, 0 };
}

struct part
part_class(struct analysis *l, const struct bytes *set, struct range length,
    bool exact, bool fold)
{
	struct part p = part_empty(l);
	unsigned n = 0;

	for (int i = 0; i < 4; i++)
		n += (unsigned)__builtin_popcountll(set->has[i]);
	p.exact = false;
	p.length = p.tail_at = length;
	p.span = length.max;
	p.first = p.last = *set;
	if (exact && n > 0 && n <= (fold ? 16 : 8))
		spell_out(l, &p, fold);
	return p;
}

static void
consider_pair(struct analysis *l, struct part *a, const struct part *b)
{
	double share;

	if (!l->want_pairs || a->length.min == 0 || b->length.min == 0)
		return;
	share = bytes_share(&a->last) * bytes_share(&b->first);
	if (a->n_pairs > 0 && a->pair_share <= share)
		return;
	a->pairs[0] = (struct pair){ a->last, b->first };
	a->n_pairs = 1;
	a->pair_share = share;
}

static void
join_bytes(struct analysis *l, struct part *a, const struct part *b)
{
	if (b->length.max == 0)
		return;
	consider_pair(l, a, b);
	if (b->n_pairs > 0 &&
	    (a->n_pairs == 0 || b->pair_share < a->pair_share)) {
		memcpy(a->pairs, b->pairs, sizeof(a->pairs));
		a->n_pairs = b->n_pairs;
		a->pair_share = b->pair_share;
	}
	if (a->length.min == 0)
		bytes_join(&a->first, &b->first);
	if (b->length.min > 0)
		a->last = b->last;
	else
		bytes_join(&a->last, &b->last);
}

/* The strings of a's end and b's beginning touch. */
static void
join_strings(struct analysis *l, struct part *a, const struct part *b)
{
	struct range b_tail = range_add(a->length, b->tail_at);
	struct strings both;
	bool fits = strings_product(l, &a->tail, &b->head, &both);

	if (!b->exact)
		consider_behind(&a->best, &b->best, a->length);
	if (fits && a->exact)
		a->head = both;
	if (fits && b->exact) {
		a->tail = both;
		return;
	}
	if (fits && !a->exact)
		consider_strings(l, &a->best, &both, a->tail_at);
	if (!fits && !a->exact)
		consider_strings(l, &a->best, &a->tail, a->tail_at);
	if (!fits && !b->exact)
		consider_strings(l, &a->best, &b->head, a->length);
	a->exact = false;
	a->tail = b->tail;
	a->tail_at = b_tail;
}

void
part_join(struct analysis *l, struct part *a, const struct part *b)
{
	join_bytes(l, a, b);
	join_strings(l, a, b);
	a->length = range_add(a->length, b->length);
	a->span = add(a->span, b->span);
	a->ways = at_most((uint64_t)a->ways * b->ways, WAYS_MAX);
	a->degree = at_most(a->degree + b->degree, DEGREE_MAX);
}

static void
alternate_pairs(struct part *a, const struct part *b)
{
	bytes_join(&a->first, &b->first);
	bytes_join(&a->last, &b->last);
	if (a->n_pairs == 0 || b->n_pairs == 0 ||
	    a->n_pairs + b->n_pairs > PAIRS_MAX) {
		a->n_pairs = 0;
		return;
	}
	memcpy(a->pairs + a->n_pairs, b->pairs, b->n_pairs * sizeof(*b->pairs));
	a->n_pairs += b->n_pairs;
	a->pair_share += b->pair_share;
}

/* One of the best of a or of the best of b; nothing where either has none. */
static struct literals
alternate_literals(
    struct analysis *l, const struct part *a, const struct part *b)
{
	struct literals of_a = part_literals(l, a), of_b = part_literals(l, b);
	struct literals out = { .before = range_hull(of_a.before, of_b.before),
		.rarity =
		    of_a.rarity < of_b.rarity ? of_a.rarity : of_b.rarity };

	if (of_a.set.n == 0 || of_b.set.n == 0 ||
	    !strings_union(l, &of_a.set, &of_b.set, &out.set))
		return (struct literals){ .rarity = -1 };
	out.rarity = rarity_of_set(out.rarity, 2);
	return out;
}

static void
alternate_strings(struct analysis *l, struct part *a, const struct part *b)
{
	struct range length = range_hull(a->length, b->length);
	struct strings head, tail;

	if (a->exact && b->exact &&
	    strings_union(l, &a->head, &b->head, &head)) {
		a->head = a->tail = head;
		return;
	}
	a->best = alternate_literals(l, a, b);
	a->tail_at = range_hull(a->tail_at, b->tail_at);
	if (!strings_union(l, &a->head, &b->head, &head))
		head = strings_any(l);
	if (!strings_union(l, &a->tail, &b->tail, &tail)) {
		tail = strings_any(l);
		a->tail_at = length;
	}
	a->exact = false;
	a->head = head;
	a->tail = tail;
}

void
part_alternate(struct analysis *l, struct part *a, const struct part *b)
{
	alternate_pairs(a, b);
	alternate_strings(l, a, b);
	a->length = range_hull(a->length, b->length);
	a->span = a->span > b->span ? a->span : b->span;
	a->ways = at_most((uint64_t)a->ways + b->ways, WAYS_MAX);
	a->degree = a->degree > b->degree ? a->degree : b->degree;
}

/* Ways and degree of x{min,max}. */
static void
repeat_cost(struct part *to, const struct part *x, uint32_t min, uint32_t max)
{
	bool plain =
	    x->ways == 1 && x->degree == 0 && x->length.min == x->length.max;
	uint64_t ways = 0, power = 1;

	to->span = times(x->span, max == UNBOUND ? LENGTH_MAX : max);
	if (max == UNBOUND) {
		to->ways = x->ways;
		to->degree = plain ? 1 : DEGREE_MAX;
		return;
	}
	to->degree = at_most((uint64_t)x->degree * max, DEGREE_MAX);
	if (plain) {
		to->ways = max - min + 1;
		return;
	}
	for (uint32_t i = 0; i <= max && ways < WAYS_MAX; i++) {
		ways += i >= min ? power : 0;
		power = at_most(power * (x->ways + 1), WAYS_MAX);
	}
	to->ways = at_most(ways, WAYS_MAX);
}

/* What is repeated too often to be spelt out, or perhaps not at all. */
static struct part
gap_of(struct analysis *l, const struct part *x, uint32_t min, uint32_t max)
{
	struct part p = part_empty(l);

	p.exact = false;
	p.length.min = times(x->length.min, min);
	if (p.length.min > LENGTH_MAX)
		p.length.min = LENGTH_MAX;
	p.length.max = max == UNBOUND ? UNBOUND : times(x->length.max, max);
	p.tail_at = p.length;
	p.first = x->first;
	p.last = x->last;
	return p;
}

void
part_repeat(struct analysis *l, struct part *p, uint32_t min, uint32_t max)
{
	struct part x = *p, all = part_empty(l);
	uint32_t copies = min < COPIES_MAX ? min : COPIES_MAX;

	if (x.length.max == 0)
		return; /* an assertion, however often */
	for (uint32_t i = 0; i < copies && !l->failed; i++)
		part_join(l, &all, &x);
	if (min == 0 && max == 1) {
		part_alternate(l, &all, &x);
	} else if (max > copies) {
		struct part gap = gap_of(l, &x, min - copies,
		    max == UNBOUND ? UNBOUND : max - copies);

		part_join(l, &all, &gap);
	}
	*p = all;
	repeat_cost(p, &x, min, max);
}
