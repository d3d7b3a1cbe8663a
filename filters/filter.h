/*
 * filter.h - the contract between postern and a filter module.
 *
 * A module is one .c file that defines `const struct pn_filter pn_filter`
 * and includes this header (and pn_str.h under it) alone. It observes and
 * proposes; rules decide.
 *
 * THE LIFE OF A MODULE
 *
 *   The master checks .abi, fills the module's settings from .options and
 *   checks rules against .facts. Workers and inspectors are forked after
 *   that: settings are read-only from then on, and a module keeps no other
 *   state between mails. Per-mail state is what pn_state() gives: zeroed,
 *   gone with the mail, nothing to free.
 *
 * THE HOOKS
 *
 *   .connect .helo .mail .rcpt .message .end   run in the smtp (or milter)
 *       worker, on the mail's own loop. They may give facts, and ask. They
 *       never block: no file, no socket, no sleep.
 *   .inspect   runs in the sandboxed inspector and reads the message view. It
 *       is pure: no asks, no clock, no files; same bytes, same facts. It may
 *       crash or loop without harm to other mail.
 *
 *   A hook returns PN_NEXT (done), PN_PENDING (an ask is under way: its
 *   continuation goes on, and returns one of the three in turn) or PN_FAIL
 *   (this module has no answer: its facts are unknown and the chain entry's
 *   `on unavailable` decides). .inspect returns PN_NEXT or PN_FAIL.
 *
 *   All modules of a stage start together; the order of their answers changes
 *   neither verdict nor trace. A continuation runs on the same loop, later or
 *   before the ask returns (an answer from a cache), or never if the client
 *   left. A NULL hook is no hook.
 *
 * FACTS
 *
 *   Every fact a module gives is declared in .facts, with its type, the stage
 *   at which it is known and who gives it. "part.program" belongs to the thing
 *   part. A fact given with another type, undeclared, or from a hook that
 *   comes after its stage is dropped and counted against the module. What a
 *   module does not give is absent; pn_fact_unknown() says it could not find
 *   out, which is something else.
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
 * modules define. 1: the first.
 */
#define PN_ABI 1

struct pn_mail; /* one mail, as a module may see it */
struct pn_part; /* one leaf, container or archive member of its MIME tree */

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

enum pn_option_type { PN_OPT_STRING, PN_OPT_NUMBER, PN_OPT_SIZE, PN_OPT_DURATION, PN_OPT_BOOL };

/* One word of the module's own block in postern.conf. */
struct pn_option {
	const char *name; /* NULL ends the table */
	enum pn_option_type type;
	size_t offset;       /* of the member in the settings struct: const char *,
				int64_t (number, size in bytes, duration in ms) or bool */
	const char *preset;  /* as it would be written; NULL: must be given */
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
	enum pn_step (*end)(struct pn_mail *);     /* after the verdict; asks are
						      not awaited */
	enum pn_step (*inspect)(struct pn_mail *);
};

/* ---- in every hook ---- */

const void *pn_settings(struct pn_mail *); /* the module's settings struct */
void *pn_state(struct pn_mail *);          /* per mail; hooks of the worker and
					      .inspect have one each */

void pn_fact_str(struct pn_mail *, const char *name, struct pn_str);
void pn_fact_number(struct pn_mail *, const char *name, int64_t);
void pn_fact_bool(struct pn_mail *, const char *name, enum pn_bool);
void pn_fact_word(struct pn_mail *, const char *name, const char *word);
void pn_fact_address(struct pn_mail *, const char *name, struct pn_str display,
    struct pn_str local, struct pn_str domain);
void pn_fact_unknown(struct pn_mail *, const char *name);

/* ---- hooks of the worker ---- */

/* What the session knows so far; n 0 when it does not. */
struct pn_str pn_client_ip(struct pn_mail *);
struct pn_str pn_client_helo(struct pn_mail *);
struct pn_str pn_client_login(struct pn_mail *);
struct pn_str pn_sender(struct pn_mail *);    /* "" is <> */
struct pn_str pn_recipient(struct pn_mail *); /* .rcpt: the one it is about */

/*
 * Asks. Each returns what the hook returns: PN_PENDING, or what the
 * continuation returned when the answer was at hand. The deadline is the
 * chain entry's; past it the continuation gets PN_DNS_TIMEOUT.
 */
enum pn_dns_status { PN_DNS_OK, PN_DNS_NONE, PN_DNS_TEMPORARY, PN_DNS_TIMEOUT };

struct pn_dns {
	enum pn_dns_status status;
	const struct pn_str *answers; /* A, AAAA: text; PTR, TXT: decoded */
	size_t n;
};
typedef enum pn_step pn_dns_cb(struct pn_mail *, const struct pn_dns *);

enum pn_step pn_ask_dns_a(struct pn_mail *, struct pn_str name, pn_dns_cb *);
enum pn_step pn_ask_dns_aaaa(struct pn_mail *, struct pn_str name, pn_dns_cb *);
enum pn_step pn_ask_dns_ptr(struct pn_mail *, struct pn_str ip, pn_dns_cb *);
enum pn_step pn_ask_dns_txt(struct pn_mail *, struct pn_str name, pn_dns_cb *);

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

/* Archive of the whole: names of what was odd about the message, in words. */
unsigned pn_mime_defects(struct pn_mail *); /* enum pn_defect, or'ed */
enum pn_defect {
	PN_DEFECT_AMBIGUOUS = 1,  /* more than one reading of the structure */
	PN_DEFECT_BROKEN = 2,     /* an encoding or a boundary was not closed */
	PN_DEFECT_LIMIT = 4,      /* parts, depth, header or archive limits */
	PN_DEFECT_CHARSET = 8     /* text in a charset we do not read */
};

#endif
