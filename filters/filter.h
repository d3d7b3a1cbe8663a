/*
 * filter.h - the contract between postern and a filter module.
 *
 * A module is one .c file that defines `const struct pn_filter pn_filter`
 * and includes this header (and pn_str.h under it) alone. It observes and
 * proposes; rules decide.
 *
 * THE LIFE OF A MODULE
 *
 *   The master checks .abi, fills the module's settings from .options, calls
 *   .setup, and checks rules against .facts. Workers and inspectors are forked
 *   after that: settings are read-only from then on. Per-mail state is what
 *   pn_state() gives: zeroed, gone with the mail, nothing to free. What a
 *   worker learns for longer stands in pn_worker(); between processes a module
 *   shares nothing but the counters of pn_ask_count().
 *
 * THE HOOKS
 *
 *   .connect .helo .mail .rcpt .message .end   run in the smtp (or milter)
 *       worker, on the mail's own loop. They may give facts, and ask. They
 *       never block: no file, no socket, no sleep.
 *   .inspect   runs in the sandboxed inspector and reads the message view. It
 *       is pure: no asks, no clock, no files; same bytes, same facts. It may
 *       crash or loop without harm to other mail.
 *   .watch   runs in each worker when it starts and again when it said so with
 *       pn_again(); about no mail. It may ask, and write pn_worker().
 *
 *   A hook returns PN_NEXT (nothing more from here), PN_PENDING (asks are under
 *   way: each one's continuation goes on, and returns one of the three in
 *   turn) or PN_FAIL (this module has no answer: its facts of this stage are
 *   unknown, asks still under way are dropped, and the chain entry's `on
 *   unavailable` decides). A hook may start several asks; the module has
 *   answered when it has none under way. PN_PENDING without any is PN_FAIL.
 *   .inspect returns PN_NEXT or PN_FAIL.
 *
 *   All modules of a stage start together and the stage waits for all of them,
 *   each for as long as its chain entry's timeout; the order of their answers
 *   changes neither verdict nor trace. It does wait even where no open answer
 *   could change the verdict any more: else the trace would tell of the
 *   weather in the network. A continuation runs on the same loop, after the
 *   hook that asked has returned, or never if the client left. A NULL hook is
 *   no hook.
 *
 * FACTS
 *
 *   Every fact a module gives is declared in .facts, with its type, the stage
 *   at which it is known and who gives it. "part.program" belongs to the thing
 *   part. A fact given with another type, undeclared, or from a hook that
 *   comes after its stage is dropped and counted against the module. What a
 *   module does not give is absent; pn_fact_unknown() says it could not find
 *   out, which is something else. In the worker a value has at most
 *   PN_VALUE_MAX bytes and a module gives at most PN_VALUES_MAX of them a
 *   mail: what is larger or more is unknown. What .inspect gives is limited by
 *   memory; a module that takes too much of it has given nothing. Tests of
 *   rules see such a value whole; traces, texts and .message its first 512
 *   bytes.
 *
 *   A fact of one value that is given again takes the later one: of answers
 *   that may come in any order only one may give it.
 *
 *   Facts of stage message of a module that has .inspect are .inspect's. If
 *   it has .message too, those with PN_FACT_INSPECT are, and .message may
 *   read them (pn_found_*) and gives the others.
 *
 * TEXT
 *
 *   struct pn_str everywhere: pointer and length, never NUL-terminated. What
 *   the view returns lives until the hook returns; what pn_fact_*() takes is
 *   copied.
 */
#ifndef PN_FILTER_H
#define PN_FILTER_H

#include <stdint.h>

#include "pn_str.h"

/*
 * Bumped by each change of meaning and each new field in a struct that
 * modules define.
 *
 *   1  the first
 *   2  several asks at once, each with an argument for its continuation;
 *      pn_ask_service(), pn_ask_count(); keyed facts (pn_keyed_*),
 *      PN_FACT_INSPECT, pn_found_*; options that are lists, tables, services;
 *      .setup, .watch, .worker_size; pn_alloc(), pn_status(); limits on values
 */
#define PN_ABI 2

#define PN_VALUE_MAX 4096
#define PN_VALUES_MAX 1024
#define PN_ASKS_MAX 64 /* of one module under way at once */

struct pn_mail; /* one mail, as a module may see it */
struct pn_part; /* one leaf, container or archive member of its MIME tree */
struct pn_url;  /* one address in its texts, or link of its pages */
struct pn_setup; /* the configuration that is being read */
struct pn_service; /* an address that can be asked */

enum pn_step { PN_NEXT, PN_PENDING, PN_FAIL };

enum pn_stage {
	PN_STAGE_CONNECT,
	PN_STAGE_HELO,
	PN_STAGE_MAIL,
	PN_STAGE_RCPT,
	PN_STAGE_MESSAGE
};

enum pn_type { PN_STRING, PN_NUMBER, PN_BOOL, PN_ADDRESS, PN_IP, PN_WORD };

enum pn_bool { PN_FALSE, PN_TRUE };

struct pn_fact_decl {
	const char *name; /* NULL ends the table */
	enum pn_type type;
	enum pn_stage stage;
	const char *help;         /* one line for postern facts(1) */
	const char *const *words; /* PN_WORD: NULL-terminated */
	unsigned flags;
};
#define PN_FACT_KEYED 1u /* takes a name: header("X-Spam") */
#define PN_FACT_MANY 2u  /* may have several values; a test is true of any */
#define PN_FACT_INSPECT 4u /* .inspect gives it, though there is a .message */
#define PN_FACT_HEADER 8u  /* the message's header tells it, without its body */

enum pn_option_type {
	PN_OPT_STRING,
	PN_OPT_NUMBER,
	PN_OPT_SIZE,
	PN_OPT_DURATION,
	PN_OPT_BOOL,
	PN_OPT_LIST,   /* one or more words: struct pn_list */
	PN_OPT_TABLE,  /* may stand several times, a list each: struct pn_table */
	PN_OPT_SERVICE /* unix:/PATH or inet:HOST:PORT: const struct pn_service *;
			  NULL where neither written nor preset (preset "") */
};

struct pn_list {
	const char *const *words;
	size_t n;
};

struct pn_table {
	const struct pn_list *rows; /* none is empty */
	size_t n;
};

/* One word of the module's own block in postern.conf. */
struct pn_option {
	const char *name; /* NULL ends the table */
	enum pn_option_type type;
	size_t offset;       /* of the member in the settings struct: const char *,
				int64_t (number, size in bytes, duration in ms),
				bool, or what stands at its type */
	const char *preset;  /* as it would be written, of lists and tables ""
				(empty) or one word; NULL: must be given */
	const char *help;
};

struct pn_filter {
	uint32_t abi;     /* PN_ABI */
	const char *name; /* as rules and logs call it */
	const struct pn_option *options;
	size_t settings_size; /* bytes of the settings struct, 0: none */
	size_t state_size;    /* bytes of pn_state(), 0: none */
	const struct pn_fact_decl *facts;
	enum pn_step (*connect)(struct pn_mail *);
	enum pn_step (*helo)(struct pn_mail *);
	enum pn_step (*mail)(struct pn_mail *);
	enum pn_step (*rcpt)(struct pn_mail *);    /* once a recipient */
	enum pn_step (*message)(struct pn_mail *); /* what .inspect found is known */
	enum pn_step (*end)(struct pn_mail *);     /* after the verdict: counts
						      (add alone, no answer) */
	enum pn_step (*inspect)(struct pn_mail *);
	bool (*setup)(struct pn_setup *);        /* false: see pn_setup_error() */
	enum pn_step (*watch)(struct pn_mail *); /* about no mail: no facts */
	size_t worker_size; /* bytes of pn_worker(), 0: none */
};

/* All that modules and postern call each other by is visible to the linker. */
#pragma GCC visibility push(default)

/* What a module defines, and all that postern looks for in it. */
extern const struct pn_filter pn_filter;

/* ---- .setup: in the master, when the configuration is read ---- */

void *pn_setup_settings(struct pn_setup *); /* filled from the options */
/* Zeroed, lives as long as the settings; NULL: no room. */
void *pn_setup_alloc(struct pn_setup *, size_t n);
/* The keyed fact takes this key (and others told so) alone: another one in a
 * rule is an error with a suggestion. */
bool pn_setup_key(struct pn_setup *, const char *fact, const char *key);
/* Refuse: what is wrong with the option (row: of a table), in words that
 * follow its name. Returns false. */
bool pn_setup_error(struct pn_setup *, const char *option, size_t row,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* ---- in every hook ---- */

const void *pn_settings(struct pn_mail *); /* the module's settings struct */
void *pn_state(struct pn_mail *);          /* per mail; hooks of the worker and
					      .inspect have one each */
void *pn_alloc(struct pn_mail *, size_t);  /* zeroed, goes with the mail; NULL
					      at the mail's cap */

void pn_fact_str(struct pn_mail *, const char *name, struct pn_str);
void pn_fact_number(struct pn_mail *, const char *name, int64_t);
void pn_fact_bool(struct pn_mail *, const char *name, enum pn_bool);
void pn_fact_word(struct pn_mail *, const char *name, const char *word);
void pn_fact_address(struct pn_mail *, const char *name, struct pn_str display,
    struct pn_str local, struct pn_str domain);
void pn_fact_unknown(struct pn_mail *, const char *name);

/* ---- hooks of the worker ---- */

/* Facts that take a name: dnsbl("zen.example"). */
void pn_keyed_bool(struct pn_mail *, const char *name, struct pn_str key,
    enum pn_bool);
void pn_keyed_str(struct pn_mail *, const char *name, struct pn_str key,
    struct pn_str);
void pn_keyed_number(struct pn_mail *, const char *name, struct pn_str key,
    int64_t);
void pn_keyed_word(struct pn_mail *, const char *name, struct pn_str key,
    const char *word);
void pn_keyed_unknown(struct pn_mail *, const char *name, struct pn_str key);

/* .message: the nth value that this module's .inspect gave. */
bool pn_found_str(struct pn_mail *, const char *name, unsigned nth,
    struct pn_str *value);
bool pn_found_number(struct pn_mail *, const char *name, unsigned nth,
    int64_t *value); /* a bool is 0 or 1 */

void *pn_worker(struct pn_mail *); /* .worker_size bytes, zeroed when the
				      worker starts */
/*
 * What an operator should see of a part of this module ("zen.example", "off:
 * lists 127.0.0.1") in the log once and in `postern status` until text is "".
 */
void pn_status(struct pn_mail *, struct pn_str key, struct pn_str text);
/* .watch: once more after so long. */
void pn_again(struct pn_mail *, uint64_t ms);

/* What the session knows so far; n 0 when it does not. */
struct pn_str pn_client_ip(struct pn_mail *);
struct pn_str pn_client_helo(struct pn_mail *);
struct pn_str pn_client_login(struct pn_mail *);
struct pn_str pn_sender(struct pn_mail *);    /* "" is <> */
struct pn_str pn_recipient(struct pn_mail *); /* .rcpt: the one it is about */

/*
 * Asks. Each returns what the hook returns: PN_PENDING, or PN_FAIL for one
 * that cannot be made (in .inspect, past the deadline, one too many). All take
 * what they are given by copy, but for arg, which comes back in the answer.
 * The deadline is the chain entry's: past it the continuation hears of a
 * time-out, and may still give facts. Answers live until it returns.
 */
enum pn_dns_status { PN_DNS_OK, PN_DNS_NONE, PN_DNS_TEMPORARY, PN_DNS_TIMEOUT };

struct pn_dns {
	enum pn_dns_status status;
	const struct pn_str *answers; /* A, AAAA: text; PTR, TXT: decoded */
	size_t n;
	const void *arg;
};
typedef enum pn_step pn_dns_cb(struct pn_mail *, const struct pn_dns *);

enum pn_step pn_ask_dns_a(struct pn_mail *, struct pn_str name, pn_dns_cb *,
    const void *arg);
enum pn_step pn_ask_dns_aaaa(struct pn_mail *, struct pn_str name, pn_dns_cb *,
    const void *arg);
enum pn_step pn_ask_dns_ptr(struct pn_mail *, struct pn_str ip, pn_dns_cb *,
    const void *arg);
enum pn_step pn_ask_dns_txt(struct pn_mail *, struct pn_str name, pn_dns_cb *,
    const void *arg);

/*
 * One request to a service and its one reply, over a connection that is kept
 * for the next. A kept one that turns out dead is replaced once, so a request
 * may arrive twice: it should do no harm to.
 */
enum pn_reply_status {
	PN_REPLY_OK,
	PN_REPLY_AWAY,   /* nobody there, or it closed before the reply's end */
	PN_REPLY_BROKEN, /* .whole said so, or larger than .max */
	PN_REPLY_TIMEOUT
};

struct pn_reply {
	enum pn_reply_status status;
	struct pn_str bytes; /* OK: the reply */
	const void *arg;
};
typedef enum pn_step pn_reply_cb(struct pn_mail *, const struct pn_reply *);

struct pn_request {
	const struct pn_service *service;
	struct pn_str bytes;
	/*
	 * Of what came so far, how many bytes are the reply: 0, more must come;
	 * negative, this is none. closed: nothing more will come. Called again
	 * from the start with each piece; pure.
	 */
	long (*whole)(struct pn_str so_far, bool closed);
	size_t max; /* bytes of a reply; 0: 64 KiB; at most 16 MiB */
};
enum pn_step pn_ask_service(struct pn_mail *, const struct pn_request *,
    pn_reply_cb *, const void *arg);
/* .whole for replies of one line: up to and with the first LF. */
long pn_whole_line(struct pn_str so_far, bool closed);

/*
 * A counter that all workers share, in the keeper: created with life_ms to
 * live by the first add, and forgotten when that is over; what is added
 * meanwhile does not prolong it. add 0 asks. Keys (at most 256 bytes) are this
 * module's own. A power cut may take the last seconds; where there are too
 * many counters the ones that end next go first. cb NULL: nobody waits (the
 * only form in .end).
 */
struct pn_count {
	bool known;     /* false: the keeper is away, or did not answer */
	int64_t value;  /* with what was added */
	uint64_t age_ms; /* since the first add */
	const void *arg;
};
typedef enum pn_step pn_count_cb(struct pn_mail *, const struct pn_count *);
enum pn_step pn_ask_count(struct pn_mail *, struct pn_str key, int64_t add,
    uint64_t life_ms, pn_count_cb *, const void *arg);

/* ---- .inspect ---- */

struct pn_str pn_raw(struct pn_mail *); /* the message, unstuffed, CRLF */

/*
 * The nth (from 0) top-level header field of that name, decoded (RFC 2047) to
 * UTF-8 and unfolded; false when there are no more.
 */
bool pn_header(struct pn_mail *, struct pn_str name, unsigned nth,
    struct pn_str *value);
/* The same field as it stands in the message, folded, without name and colon. */
bool pn_header_raw(struct pn_mail *, struct pn_str name, unsigned nth,
    struct pn_str *value);
/* nth mailbox of an address field's body (RFC 5322 3.4), groups flattened. */
bool pn_mailbox(struct pn_mail *, struct pn_str field, unsigned nth,
    struct pn_str *display, struct pn_str *local, struct pn_str *domain);

/*
 * Parts in order: containers, leaves, forwarded messages, and members of
 * archives behind the archive they lie in.
 */
struct pn_part *pn_first_part(struct pn_mail *);
struct pn_part *pn_next_part(struct pn_mail *, struct pn_part *);
/* Depth 0: what the sender attached, however MIME nests it; each forwarded
 * message and each archive adds one. */
unsigned pn_part_depth(struct pn_part *);
bool pn_part_is_container(struct pn_part *); /* multipart/..., message/rfc822 */
bool pn_part_is_member(struct pn_part *);    /* lies in an archive */
/*
 * Names, in every reading (Content-Disposition filename, Content-Type name,
 * RFC 2231 and 2047 forms; local and central zip header): false at the end.
 */
bool pn_part_name(struct pn_part *, unsigned nth, struct pn_str *name);
struct pn_str pn_part_path(struct pn_part *); /* "invoice.zip/a/b.exe" */
struct pn_str pn_part_type(struct pn_part *); /* "text/plain", declared, lower case */
/* What the bytes say: "executable", "zip", "pdf" ... (the words of part.magic);
 * "" for a container. */
struct pn_str pn_part_magic(struct pn_part *);
/* Decoded bytes: the first n, or fewer where the part (or a limit) ends. */
struct pn_str pn_part_head(struct pn_part *, size_t n);
uint64_t pn_part_size(struct pn_part *); /* decoded; of a member: as listed */

enum pn_part_flag {
	PN_PART_ENCRYPTED = 1,  /* the archive member (or all of it) is locked */
	PN_PART_BROKEN = 2,     /* could not be read to its end */
	PN_PART_AMBIGUOUS = 4,  /* readers differ in what it is */
	PN_PART_LIMIT = 8       /* a limit stopped us: there may be more */
};
unsigned pn_part_flags(struct pn_part *);

void pn_part_fact(struct pn_part *, const char *name, enum pn_bool);
void pn_part_fact_str(struct pn_part *, const char *name, struct pn_str);
void pn_part_fact_number(struct pn_part *, const char *name, int64_t);
void pn_part_fact_word(struct pn_part *, const char *name, const char *word);
void pn_part_fact_unknown(struct pn_part *, const char *name);

/*
 * Does any rule ask for this fact of the module, or for any, all or no things
 * of that name ("url")? What is dear to find out can be left out where none
 * does.
 */
bool pn_wanted(struct pn_mail *, const char *name);

/*
 * What the reader sees: the nth text of the parts that are shown, pages
 * reduced to theirs; of the nth page its source, and what in it is hidden. In
 * UTF-8, line ends LF. False: no more, and *more (may be NULL) says whether
 * there would be beyond a limit. The first call reads them all.
 */
bool pn_text(struct pn_mail *, unsigned nth, struct pn_str *, bool *more);
bool pn_html(struct pn_mail *, unsigned nth, struct pn_str *, bool *more);
bool pn_hidden(struct pn_mail *, unsigned nth, struct pn_str *, bool *more);
/* Characters that show nothing (zero-width blanks, soft hyphens ...): they
 * were taken out of the texts. */
uint64_t pn_invisible(struct pn_mail *);

/* Where the message leads, each once: NULL at the end. */
struct pn_url *pn_first_url(struct pn_mail *);
struct pn_url *pn_next_url(struct pn_mail *, struct pn_url *);
bool pn_more_urls(struct pn_mail *); /* a limit stopped us */
struct pn_str pn_url_scheme(struct pn_url *); /* "https", lower case */
/* Lower case, IDNA in ASCII, addresses in one form; n 0: it has none. */
struct pn_str pn_url_host(struct pn_url *);
struct pn_str pn_url_domain(struct pn_url *); /* organisational */
struct pn_str pn_url_path(struct pn_url *);   /* percent-decoded */
struct pn_str pn_url_query(struct pn_url *);  /* likewise, without '?' */
struct pn_str pn_url_whole(struct pn_url *);  /* without user and fragment */
struct pn_str pn_url_text(struct pn_url *);   /* what is clicked on */
/* "text" (it stands there), "link", "image", "form", "refresh", "other" */
const char *pn_url_kind(struct pn_url *);

enum pn_url_flag {
	PN_URL_IP = 1,      /* the host is an address */
	PN_URL_USER = 2,    /* something stands in front of '@' */
	PN_URL_MISLEADS = 4 /* what is clicked on looks like an address of
			       another organisational domain */
};
unsigned pn_url_flags(struct pn_url *);

/* Facts of the thing url: "url.odd". */
void pn_url_fact(struct pn_mail *, struct pn_url *, const char *name,
    enum pn_bool);
void pn_url_fact_str(struct pn_mail *, struct pn_url *, const char *name,
    struct pn_str);
void pn_url_fact_number(struct pn_mail *, struct pn_url *, const char *name,
    int64_t);
void pn_url_fact_word(struct pn_mail *, struct pn_url *, const char *name,
    const char *word);

/* Archive of the whole: names of what was odd about the message, in words. */
unsigned pn_mime_defects(struct pn_mail *); /* enum pn_defect, or'ed */
enum pn_defect {
	PN_DEFECT_AMBIGUOUS = 1,  /* more than one reading of the structure */
	PN_DEFECT_BROKEN = 2,     /* an encoding or a boundary was not closed */
	PN_DEFECT_LIMIT = 4,      /* parts, depth, header or archive limits */
	PN_DEFECT_CHARSET = 8     /* text in a charset we do not read */
};

#pragma GCC visibility pop

#endif
