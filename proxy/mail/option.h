/*
 * option - the options of a module: their text, as the configuration has it or
 * as the module's own presets, into the module's settings struct; and what
 * .setup may do. In the master (or postern(1)) alone, before any fork.
 */
#ifndef MAIL_OPTION_H
#define MAIL_OPTION_H

#include "base/arena.h"
#include "base/error.h"
#include "filters/filter.h"

/* The address of a service, as pn_service of filter.h: where, not a socket. */
struct pn_service {
	const char *text; /* as written */
	bool local;       /* unix: path */
	const char *host; /* path; numeric address without brackets; or a name */
	bool numeric;
	uint16_t port;
};

/* A key that a keyed fact takes, told by .setup. */
struct option_key {
	const struct option_key *next;
	const char *fact, *key;
};

/*
 * One line's words into the settings; of a table they are one more row. Texts
 * are copied into the arena. -1: *why is what is wrong, in words that follow
 * the option's name.
 */
int option_give(const struct pn_option *, const struct pn_str *words, size_t n,
    void *settings, struct arena *, struct error *why);
/* All presets; those without one are left zero. -1: the module's mistake. */
int options_preset(const struct pn_filter *, void *settings, struct arena *,
    struct error *e);
/* "a number", "a size (64K, 50M, 1G)" ... */
const char *option_shape(enum pn_option_type);

/* What .setup complained about: the option it named, "" for none, and which
 * row of a table. */
struct setup_fault {
	char option[64];
	size_t row;
};
/* Run .setup if there is one; its keys go before *keys. -1: *e, *fault. */
int options_setup(const struct pn_filter *, void *settings, struct arena *,
    const struct option_key **keys, struct setup_fault *fault, struct error *e);

#endif
