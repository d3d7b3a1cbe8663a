/*
 * keep - what workers, keeper and master say to each other about kept mail:
 * frame types of base/ipc and the flat form of a job. Spoken by
 * engine/keep (worker's side) and keeper/keeper; shapes live here because
 * both speak them and neither may see the other.
 */
#ifndef MAIL_KEEP_H
#define MAIL_KEEP_H

#include "base/pack.h"
#include "mail/envelope.h"

enum keep_type {
	/* worker -> keeper; ipc id = job; fd = parcel (mail/parcel.h), unstuffed,
	 * CRLF; body u64: bytes of the message in it */
	KEEP_QUARANTINE = 1, /* answered by KEEP_DONE or KEEP_FAILED */
	KEEP_MAILDIR,        /* answered likewise */
	KEEP_VERDICT,        /* struct keep_summary, many a frame; not answered */
	KEEP_SUSPECT,        /* 32 bytes: SHA-256 of a body that broke an
				inspector; answered by KEEP_COUNT */
	KEEP_SUSPECTED,      /* 32 bytes: how often, without counting; KEEP_COUNT */
	/* keeper -> worker */
	KEEP_DONE,           /* body: text for the reply ("held as ID"), or "" */
	KEEP_FAILED,         /* body u8: 1 when room is short; the rest: why,
				for the log */
	KEEP_COUNT,          /* u32: broke an inspector so often within a day */
	KEEP_RELEASE,        /* fd, body as above; relay it; answered by _RELEASED */
	/* worker -> keeper */
	KEEP_RELEASED,       /* struct keep_outcome; several frames when one has
				not room for every recipient; told again to each
				keeper until one answers with _RELEASED_OK */

	KEEP_STATS = 32,     /* worker -> keeper: struct keep_stat, many a frame:
				what changed since the last one, to a new keeper
				all of it; not answered */
	KEEP_SAID,           /* worker -> keeper: struct keep_said, many a frame;
				when and why as KEEP_STATS */
	KEEP_COUNTER,        /* worker -> keeper: struct keep_counter; answered by
				KEEP_COUNTED or KEEP_FAILED, id 0 is not */
	KEEP_COUNTED,        /* keeper -> worker: u64 value (two's complement),
				u64 ms since its first add */
	KEEP_RELEASED_OK,    /* keeper -> worker; id = job: committed, forget it */
	KEEP_RELEASE_KNOWN,  /* keeper -> worker; id = job: do you have it? Who
				is at it says nothing; who is done tells again;
				who never heard of it says _RELEASED with no
				recipients */
	KEEP_DRAIN           /* keeper -> worker: str upstream, str server ("": all
				of them), u8: 1 no new mail goes there, 0 it
				does again; not answered */
};
/*
 * Or'ed to KEEP_QUARANTINE and KEEP_MAILDIR: an earlier keeper died with this
 * job in its hands and may have done it. The id tells: what is kept already
 * is answered with KEEP_DONE and kept once.
 */
#define KEEP_AGAIN 0x100

struct keep_job {
	struct pn_str id;         /* of the transaction */
	struct pn_str class_name; /* quarantine */
	struct pn_str target;     /* maildir: path; release: name of the upstream */
	struct pn_str rule;       /* that decided */
	struct pn_str trace;      /* JSON or "" */
	struct pn_str subject;    /* decoded, for listings, or "" */
	uint64_t size;            /* bytes of the body */
	struct client client;
	struct envelope envelope; /* accepted recipients */
};

struct transaction;
struct verdict;

/*
 * What the verdict `why` has the keeper hold of t: the message as it came, for
 * the recipients it was sent to (a rule that changed them spoke of mail that
 * goes on). target: where a release leads. Borrows all of it.
 */
struct keep_job keep_job_of(const struct transaction *t,
    const struct verdict *why, const char *target);

/* One line of history: what every message leaves behind. */
struct keep_summary {
	struct pn_str id;
	uint64_t time_us;         /* since the epoch */
	struct pn_str action;     /* verdict_action_name */
	struct pn_str rule;
	uint16_t code;            /* what the client was told */
	struct pn_str client_ip, sender, rcpts; /* rcpts: comma-separated */
	uint64_t size;
	struct pn_str trace;      /* JSON, or "" for a plain accept */
	struct pn_str subject;    /* decoded, or "" */
	struct pn_str policy;     /* that judged it, or "" */
	bool scored;              /* the policy keeps a score: */
	int64_t score;
	struct pn_str would;      /* verdict_action_name: what rules in shadow,
				     or all without `enforce`, would have made
				     of it; "" nothing */
	struct pn_str would_rule;
	struct pn_str upstream;   /* whom it was told to; "" nobody */
	struct pn_str server;     /* ... "192.0.2.1:25", or "" */
};

/*
 * One series of a worker's counters, cumulative since the worker began
 * (base/stats.h says what names and labels are). Worker and generation are
 * the link's.
 */
struct keep_stat {
	struct pn_str name;       /* "messages_total" */
	struct pn_str labels;     /* `action="reject"`, or "" */
	bool gauge;
	int64_t value;
};

/* What an operator should know of a module: of a part of it ("zen.example",
 * "off: ..."), or, with part "", the last time that it had no answer. Text ""
 * takes it back; of part "" it only says that there is such a module. */
struct keep_said {
	struct pn_str module, part, text;
	uint64_t time_us;
};

/* A counter that all workers share. */
struct keep_counter {
	struct pn_str module, key;
	int64_t add;      /* 0: only look */
	uint64_t life_ms; /* from the first add */
};
#define KEEP_COUNTER_KEY_MAX 256

struct keep_outcome {
	struct pn_str id;
	uint32_t n;               /* replies that follow: path, code, text */
	struct keep_rcpt_outcome {
		struct pn_str path;
		uint16_t code;    /* 2xx delivered, 4xx later, 5xx refused; 0 no answer */
		struct pn_str text;
	} *rcpts;
};

void keep_job_pack(const struct keep_job *, struct buf *);
bool keep_job_unpack(struct keep_job *, struct unpack *, struct arena *);
void keep_summary_pack(const struct keep_summary *, struct buf *);
bool keep_summary_unpack(struct keep_summary *, struct unpack *);
void keep_stat_pack(const struct keep_stat *, struct buf *);
/* Checks the shape of name and labels, too: what passes can be shown. */
bool keep_stat_unpack(struct keep_stat *, struct unpack *);
void keep_said_pack(const struct keep_said *, struct buf *);
bool keep_said_unpack(struct keep_said *, struct unpack *);
void keep_counter_pack(const struct keep_counter *, struct buf *);
bool keep_counter_unpack(struct keep_counter *, struct unpack *);
void keep_outcome_pack(const struct keep_outcome *, struct buf *);
bool keep_outcome_unpack(struct keep_outcome *, struct unpack *, struct arena *);

#endif
