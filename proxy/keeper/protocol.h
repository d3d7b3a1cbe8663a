/*
 * protocol - what postern(1) and the keeper say to each other over the
 * control socket (a unix stream socket).
 *
 * One question a connection: a JSON object in one line, {"cmd":"status"} or
 * {"cmd":"quarantine.show","id":"..."}. One answer: a JSON object in one line
 * that says {"ok":true,...} or {"ok":false,"exit":SYSEXIT,"error":"..."};
 * behind it, where "bytes" is a member, so many bytes of a raw message. Then
 * the keeper closes. Bytes of the network stand in strings: NUL as \u0000
 * (Jansson reads it with JSON_ALLOW_NUL), what is no UTF-8 as U+FFFD.
 *
 *   status                the master's object and what the keeper counts
 *   reload                read the configuration again
 *   drain                 end when every session has; answered at once
 *   upstream.drain        no new mail for the server "server" of the upstream
 *                         "upstream", as status calls them; for all of its
 *                         servers without "server". Until the next reload
 *   upstream.resume       it gets mail again; all: those that are not written
 *                         with drain
 *   explain ID            history or quarantine: "message" with its "trace"
 *   history               "messages", newest first, and "more": true where
 *                         there are others behind the limit. All members may
 *                         be left out, those that are there hold together:
 *                           since, until  microseconds since 1970 (numbers):
 *                                         since <= time_us < until
 *                           from, to      an address or "@domain"; from "" is
 *                                         the null sender
 *                           client        an address or a network
 *                           rule          a name: that decided, or would have
 *                           action, policy   a name
 *                           would         an action: of rules in shadow, or
 *                                         of all without `enforce`
 *                           upstream      a name: of the block
 *                           subject, server  stands somewhere in it
 *                           limit         100 unless said
 *                           before        an id: the page behind that message
 *                         ASCII letters match in either case. A message: id,
 *                         time_us, action, rule, policy, code, client, sender,
 *                         recipients ("a@x,b@y"), size, subject, score (null
 *                         where none is kept), would and would_rule ("" where
 *                         nothing would have been done), upstream and server
 *                         ("" where no next hop was told of it)
 *   quarantine.list       "messages", newest first, and "more": true where
 *                         there may be others behind the limit. As for
 *                         history: since, until, from, to, client, rule,
 *                         subject, before, limit (1000 unless said); and
 *                         state, class: a name
 *   quarantine.show ID    "message"
 *   quarantine.release ID answered when every recipient is: "message"
 *   quarantine.delete ID
 *   quarantine.export ID  the message itself
 */
#ifndef KEEPER_PROTOCOL_H
#define KEEPER_PROTOCOL_H

#define CONTROL_REQUEST_MAX 4096 /* bytes of a question's line */
#define CONTROL_PAGE 100	 /* messages of history, unless said */
#define CONTROL_LIST_MAX 1000    /* messages an answer holds at most */

#endif
