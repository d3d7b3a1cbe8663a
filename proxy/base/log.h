/*
 * log - one line an event: `id=5f2c.3 ev=verdict action=reject rule=...`.
 *
 * error: an operator must act. warn: something degraded. info: one line a
 * connection, one summary a mail. debug: the dialogue. Attacker-chosen text
 * goes through vis(). One log a process, opened before fork by the master;
 * lines leave in one write(2), so processes may share the descriptor.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stddef.h>

#include "filters/pn_str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* target: "stderr", "syslog FACILITY" or a file's path. -1 and errno. */
int log_open(const char *program, const char *target, enum log_level most);
/*
 * Beside or instead of our own lines about mail, those that Postfix would
 * write: `NAME/smtpd[pid]: ...`, for the programs that read its log. name
 * NULL: none. own: ours are wanted. Lines in a file then name the host, as
 * syslog does. name is borrowed for ever.
 */
void log_style(const char *name, bool own);
bool log_wants_own(void);     /* lines about mail and connections */
bool log_wants_postfix(void);
/* fmt is all behind `NAME/daemon[pid]: `. */
void log_postfix(const char *daemon, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* One JSON object a line: bare in a file, behind @cee: in syslog. */
void log_object(struct pn_str json);
/* The file of log_open() under its name again, after somebody moved it away;
 * nothing to do for another target. -1 and errno: it goes on as before. */
int log_reopen(void);
/* What lines are written to, or -1: syslog. For children that may not open. */
int log_fd(void);
/* Lines go there from now on; takes fd. None is lost and none is torn. */
void log_take(int fd);
void log_process(const char *role); /* what `proc=` says from here on */
/* Would a line of this level be written? For what is dear to prepare. */
bool log_wants(enum log_level);

/* id may be "" (not about one session). fmt is `key=value key="value"`. */
void log_line(enum log_level, const char *id, const char *event,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define log_error(id, ...) log_line(LOG_LEVEL_ERROR, (id), __VA_ARGS__)
#define log_warn(id, ...) log_line(LOG_LEVEL_WARN, (id), __VA_ARGS__)
#define log_info(id, ...) log_line(LOG_LEVEL_INFO, (id), __VA_ARGS__)
#define log_debug(id, ...) log_line(LOG_LEVEL_DEBUG, (id), __VA_ARGS__)

/*
 * s made visible into out (always NUL-terminated): controls, quote, backslash
 * and bytes over 126 as \xNN; cut to size. Returns out. VIS(s) gives it a
 * buffer that lives to the end of the enclosing block.
 */
const char *vis(char *out, size_t size, struct pn_str s);
#define VIS(s) vis((char[384]){ 0 }, 384, (s))

#endif
