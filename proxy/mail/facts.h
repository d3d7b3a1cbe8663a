/*
 * facts - name = value, by the index that the compiler gave the declaration.
 *
 * What a transaction knows so far. Values live in its arena. Indexes come
 * from the generation's chain (engine/chain); rules ask by the same index.
 */
#ifndef MAIL_FACTS_H
#define MAIL_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/value.h"

/* What has facts of its own, many of them in a message. */
enum thing { THING_PART, THING_URL, THINGS };
/* Their names, as the first word of a fact's; NULL ends them. */
extern const char *const thing_names[THINGS + 1];

/*
 * The things of one kind in a message, in order, and where each lies: bytes
 * [from, from + size) of the message are its MIME entity, from the first byte
 * of its header to the last of its body, without the line end in front of the
 * next delimiter. What would take a part out replaces these bytes by another
 * entity.
 *
 *   The message itself, and the body of a message/rfc822, is an entity whose
 *   header is the mail's own: from 0, all of it.
 *   THING_BLOCK: no entity but lines of some text's body, begin line to end
 *   line (uuencode, yEnc). Another entity does not fit there, text does.
 *   THING_WITHIN: it does not lie in the message as it stands (a member of an
 *   archive, part of an encoded message): the range is that of the innermost
 *   entity or block around it that does.
 *   THING_AMBIGUOUS: readers differ in what it is. Ranges may then overlap in
 *   any way: take out their union.
 *   An address's range is that of the part it stands in.
 *
 * size 0: it is not known where. Ranges from the inspector were checked to
 * lie in the message, no more.
 */
struct fact_things {
	uint32_t n;
	struct fact_thing {
		uint8_t depth; /* messages and archives around it; 0: top */
		uint8_t flags; /* enum thing_flag */
		uint32_t from, size;
	} *v;
};
enum thing_flag { THING_AMBIGUOUS = 1, THING_BLOCK = 2, THING_WITHIN = 4 };
#define THING_FLAGS 7u

/* Of all[THINGS], those of the kind so called; there must be one. */
const struct fact_things *facts_things(const struct fact_things *all,
    const char *name);

/* A fact of a thing (part 3's name), or one of many values of a header. */
struct fact_of {
	uint32_t index; /* of the declaration: it says the kind of thing */
	uint32_t thing; /* its number, from 0; FACT_OF_MESSAGE: none */
	struct value value;
};
#define FACT_OF_MESSAGE UINT32_MAX

/* A fact that has a key or may have many values, from a worker's hook. */
struct fact_given {
	STAILQ_ENTRY(fact_given) next;
	uint32_t index;
	struct pn_str key; /* of a keyed one, else empty */
	struct value value;
};

struct facts {
	struct arena *arena;
	/*
	 * [n_message]: facts of the message as a whole, NULL where there is
	 * none: most have few, and a client that waits has this for as long.
	 * Of a keyed one, or one with many values: unknown here is unknown
	 * under every key that has none given. Read by facts_get().
	 */
	const struct value **message;
	uint32_t n_message;   /* declarations in the chain */
	/* By index, key and value: answers come in any order, and what is
	 * judged and shown is the same. */
	STAILQ_HEAD(fact_givens, fact_given) given;
	struct fact_of *of;   /* [n_of]: facts of things, from the inspector */
	uint32_t n_of;
	bool truncated;       /* some were left out: what is missing is unknown */
};

/* All absent. -1 at the arena's cap. */
int facts_init(struct facts *, struct arena *, uint32_t n_declared);
/* Copies text into the arena. -1 at its cap (the fact is then unknown). */
int facts_set(struct facts *, uint32_t index, const struct value *);
const struct value *facts_get(const struct facts *, uint32_t index);
/* One more value of a keyed fact, or of one with many. -1 as facts_set(). */
int facts_add(struct facts *, uint32_t index, struct pn_str key,
    const struct value *);
/* None of these was given: what a module said that then failed. */
void facts_forget(struct facts *, uint32_t index);
/*
 * The nth value (keys are compared without case) into *out: absent behind the
 * last one. False, *out untouched: no worker's hook says anything of it.
 */
bool facts_nth(const struct facts *, uint32_t index, struct pn_str key,
    unsigned nth, struct value *out);
/*
 * Among what the inspector found, the nth value of a thing's fact (or, with
 * FACT_OF_MESSAGE, of the message's) into *out. None: *out is left as it is,
 * but unknown where truncated says that some were left out.
 */
void facts_found(const struct fact_of *, uint32_t n, bool truncated,
    uint32_t index, uint32_t thing, unsigned nth, struct value *out);

#endif
