/*
 * control - the transport of protocol.h: who may ask (root, the keeper's own
 * user, control_uid: SO_PEERCRED), questions in, answers out. Sizes and
 * numbers are bounded, everything is an event: a client that is slow or says
 * nothing keeps nobody waiting and is closed after a while. What the questions
 * mean stands in command.c. Owned by keeper.c.
 */
#ifndef KEEPER_CONTROL_H
#define KEEPER_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"

struct control;
struct control_call; /* one connection and its question */

/*
 * Answer now or later, exactly once, with one of the three below. cmd and
 * request are valid until return.
 */
typedef void control_ask(void *arg, struct control_call *, const char *cmd,
    const json_t *request);

/* Takes sock: listening. */
struct control *control_new(struct loop *, int sock, uid_t other_uid,
    control_ask *, void *arg);
/* Listen no more, so that another posternd can: what was asked is answered. */
void control_stop(struct control *);
/* Calls that are still open are closed and forgotten: nobody answers them. */
void control_free(struct control *);

/* "ok", to which the caller adds its members; then control_answer(). */
void control_begin(struct buf *);
void control_answer(struct control_call *, struct buf *);
/* The same, and behind it size bytes of a file; takes fd. */
void control_answer_file(struct control_call *, struct buf *, int fd,
    uint64_t size);
/* exit: of sysexits.h, what postern(1) ends with. */
void control_refuse(struct control_call *, int exit, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A member of a question, if it is there; false: it is of another type, or a
 * number below 0. The text is the question's. */
bool control_text(const json_t *request, const char *key, struct pn_str *out);
bool control_number(const json_t *request, const char *key, uint64_t *out);
/* The client left before it was answered; then gone is called instead. */
void control_wait(struct control_call *, void (*gone)(void *), void *arg);

#endif
