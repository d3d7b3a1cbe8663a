/*
 * run - one stage of one transaction under way, and what finished stages left.
 * Private to engine/: made by engine.c, lies in the transaction's arena.
 *
 * A run counts what it waits for. Everybody who starts something adds one
 * (run_wait), everybody who is answered takes one off (run_settle), and the
 * last one lets the stage go on. Nothing is ever answered before the starting
 * call has returned, so a count of zero means done.
 */
#ifndef ENGINE_RUN_H
#define ENGINE_RUN_H

#include "engine/ask.h"
#include "engine/engine.h"
#include "mail/pn_mail.h"

/* What the rules of one finished stage said; of rcpt, one for each. */
struct stage_result {
	STAILQ_ENTRY(stage_result) next;
	enum stage stage;
	unsigned policy;         /* whose rules */
	const struct rcpt *rcpt; /* STAGE_RCPT */
	struct rules_result rules;
	const struct proposed *proposed; /* beside them; propose.c's */
};
STAILQ_HEAD(stage_results, stage_result);

/*
 * One module's hooks on one mail, or its .watch (behind filter.h's struct
 * pn_mail). In the transaction's arena; a watch is the engine's.
 */
struct hook {
	struct pn_mail mail; /* first: pn_* functions get this */
	struct engine *engine;
	struct transaction *t;  /* NULL: .watch */
	struct engine_run *run; /* that waits for it; NULL: none does */
	struct watch *watch;    /* NULL: a mail's */
	struct asks asks;       /* under way */
	unsigned n_asks;
	unsigned made;          /* asks, in this stage */
	unsigned given;         /* values, in all stages */
	uint32_t told;          /* of mail.dropped: those that are counted */
	uint64_t deadline_ms;   /* of the loop's clock */
	bool timed_out;         /* some ask, in this stage */
	bool ending;            /* .end: no answer can be waited for */
};

/* What a module did not find out about a mail. */
enum missing { MISSING_NOTHING, MISSING_FACT, MISSING_ALL };

struct milter_state;

struct engine_past {
	struct stage_results results;
	struct hook *hooks;  /* [n_modules] */
	/* [n_modules] each: enum missing of connect and helo, which the next
	 * mail of the session inherits; of the later stages */
	uint8_t *missing_early, *missing;
	struct milter_state *milters; /* [n_milters] */
	const char *emptied; /* the milter that took the last recipient away */
	bool named;          /* a HELO was said */
	bool inspected;      /* findings are valid */
	struct findings findings;
	bool blamed;         /* the body broke the inspector too often */
};

enum run_phase {
	PHASE_ASK,     /* client's name, modules' hooks */
	PHASE_INSPECT, /* message only: the inspector has it */
	PHASE_BLAME,   /* ... and died of it: the keeper counts */
	PHASE_HOOKS,   /* message only: .message hooks, with the findings */
	PHASE_MILTERS, /* other people's, one after the other */
	PHASE_JUDGE,
	PHASE_DONE
};

struct engine_run {
	struct engine *engine;
	struct transaction *t;
	enum stage stage;
	enum run_phase phase;
	unsigned waiting;
	struct pool_job *job;
	struct keep_ticket *ticket;
	struct client_name *name;
	struct proposed *proposed; /* for the judging of this stage */
	size_t milter;  /* the one being asked */
	bool talking;   /* ... its answer is awaited */
	bool refused;   /* ... and one before it refused */
};

/* A module as one worker sees it. */
struct module_work {
	void *worker; /* pn_worker() */
	struct watch *watch;
	struct stat_series *calls, *failures, *timeouts, *refused;
};

/* Counters of rules, by their place in the set. */
struct tally {
	struct stat_series **of; /* [n]; NULL: has not fired yet */
	size_t n;
};

struct engine {
	struct loop *loop;
	const struct engine_conf *conf;
	struct pool *pools[INSPECT_LANES];
	struct keep *keep;
	struct dns *dns;
	struct dns *secure_dns; /* validating, or NULL */
	struct services *services;
	struct milters *milters; /* NULL: none is asked */
	struct module_work *modules; /* [n_modules] */
	struct rules_run *rules_run;
	struct tally tally;
	uint64_t n_accepted; /* for trace_accept_percent */
};

/* engine.c: 452 for this mail. */
void engine_no_room(struct transaction *);

void run_wait(struct engine_run *);
/* May call t->wake(): touch nothing of the run afterwards. */
void run_settle(struct engine_run *);

/* host.c: start the hooks of the run's stage; stop what is under way. */
void hooks_start(struct engine_run *);
void hooks_cancel(struct engine_run *);
/* .end of every module: nobody waits. */
void hooks_end(struct engine *, struct transaction *);
/* What .inspect of each module came to, for the counters. */
void hooks_inspected(struct engine_run *);
/* The inspector did not survive this one's. */
void hooks_blame(struct engine_run *, uint32_t module);
/* An ask was answered, or this hook's function returned: what follows. */
void hook_step(struct hook *, enum pn_step);
/* -1 at the arena's cap. */
int hooks_room(struct engine *, struct transaction *);

/* .watch of each module, and what a worker keeps for it. */
void watches_start(struct engine *);
void watches_stop(struct engine *);

/* missing.c: who had no answer, seen in counters, log, verdict and header. */
/* why: for the log and `postern status`, in words. */
void module_failed(struct hook *, const char *why);
/* The two halves of it, where one failing is seen at several stages: counted
 * and told once; what follows for the stage at hand. */
void module_complain(struct hook *, const char *why);
void module_lacks(struct hook *);
/* A fact could not be found out. */
void module_misses(struct hook *);
void module_timed_out(struct hook *);
/* Count what the hook had refused since it was last counted. */
void module_refused(struct hook *);
/* A field that names them, if the configuration wants one and there are some.
 * -1 at the arena's cap. */
int missing_edit(struct engine_run *);
/* The session's next mail: what connect and helo missed. */
void missing_inherit(struct engine *, struct transaction *to,
    const struct transaction *from);

/* limits.c: answers that are unknown because a pattern met a limit. */
void limits_tell(struct engine *, const struct transaction *,
    const struct rules_answers *);

/* client_name.c: PTR and its confirmation, into t->client. */
void client_name_start(struct engine_run *);
void client_name_cancel(struct engine_run *);

/* core.c: what the door told, as facts. -1 at the arena's cap. */
int core_facts(struct engine_run *);

/* judge.c: the rules of the run's stage. -1 at the arena's cap. */
int judge_stage(struct engine_run *);
/* ... and of all stages so far, for what was accepted: at the message stage. */
int judge_message(struct engine_run *);

/* A condition of a setting: what is known now, of the recipient at hand or of
 * all that were accepted. Its stage's core_facts() must have been called. */
enum tri judge_condition(struct engine_run *, unsigned id);

/* propose.c */
struct proposal {
	const char *rule;    /* told as the rule's name: "milter.dkim"; borrowed */
	unsigned nr;         /* its place among those who propose, from 0 */
	enum rules_action action; /* reject, tempfail, quarantine, hold, discard
				or tag; accept: is only told */
	uint16_t code;       /* reject, tempfail */
	struct pn_str status, text; /* as well; hold: text is why */
	struct pn_str class_name; /* quarantine, or "" */
	const char *fact;    /* that tells it: "milter.dkim.action"; borrowed */
	struct pn_str said;  /* its value: "reject" */
};
/*
 * What a milter wants done at the run's stage, of the recipient at hand at
 * rcpt: before it is judged. It is joined there like the effect of a rule that
 * stands behind all others and is not `always`. -1 at the arena's cap.
 */
int judge_propose(struct engine_run *, const struct proposal *);
/* For judge.c: into this result, unless something allowed. -1: as above. */
int propose_join(struct engine_run *, struct stage_result *);
/* For trace.c: as more of the stage's rules. */
void propose_trace(struct buf *, const struct stage_result *);

/* milters.c: milters of other people, one after the other. */
void milters_start(struct engine_run *);
void milters_cancel(struct engine_run *);
/* What they said of the session, for a mail that inherits it. */
void milters_again(struct engine_run *);
void milters_stop(struct engine *);

/* effects.c: what a result says, joined to *v or, unless it counts, to
 * t->would. */
void effects_join(struct transaction *, struct verdict *v,
    const struct rules_result *, bool enforce);
/* What has its effect at the stage it belongs to: delays, notes. The
 * functions that follow are -1 at the arena's cap. */
int effects_stage(struct transaction *, const struct rules_result *);
int effects_note(struct transaction *, struct pn_str text);
/* Does this result speak for the message? */
bool effects_count(const struct stage_result *);
/* Each effect that is not in shadow, in file order, each rule's once. */
typedef int effects_take(struct transaction *, const struct rules_effect *,
    void *arg);
int effects_walk(struct transaction *, effects_take *, void *arg);
/* What rules want of a message that passes: edits, recipients, copies. */
int effects_message(struct transaction *);

/* strip.c: edits that take parts out, or the verdict that they cannot be. */
int strip_message(struct transaction *);

/* trace.c: what became of it: the message's verdict, or where no recipient
 * was left to have one, the last recipient's, or what an early rule said. */
const struct verdict *final_verdict(const struct transaction *);
/* object.c: a verdict as one line of JSON in the log. */
void log_verdict(const struct transaction *, uint16_t code);
/* Is this the first effect of its rule among all of the message's? */
bool effect_is_first(const struct transaction *, const struct stage_result *,
    size_t nth);

/* tally.c: count the rules that fired. */
void tally(struct engine *, const struct transaction *);
void tally_free(struct engine *);

#endif
