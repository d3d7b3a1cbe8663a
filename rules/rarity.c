/*
 * rarity - how common bytes, pairs and strings are in mail, as it was counted
 * in much of it. Asked by literal.c, to choose what is looked for; see
 * literal.h.
 */
#include "rules/literal.h"

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

bool
rarity_is_common(const struct analysis *l, struct pn_str w)
{
	size_t piece = w.n < 4 ? w.n : 4;
	char text[WINDOW_MAX];

	if (w.n < 3)
		return false;
	for (size_t i = 0; i < w.n; i++)
		text[i] = w.p[i] == '\r' ? '\n' : pn_lower(w.p[i]);
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

int
rarity_alone(char c)
{
	unsigned kind = kind_of((unsigned char)c);

	return quarters(alone[kind]) + within_kind(kind);
}

int
rarity_behind(char before, char c)
{
	unsigned kind = kind_of((unsigned char)c);

	return quarters(behind[kind_of((unsigned char)before)][kind]) +
	       within_kind(kind);
}

int
rarity_of(struct pn_str s)
{
	int rarity = s.n > 0 ? rarity_alone(s.p[0]) : 0;

	for (size_t i = 1; i < s.n; i++)
		rarity += rarity_behind(s.p[i - 1], s.p[i]);
	return rarity;
}
