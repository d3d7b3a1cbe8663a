/*
 * milter_packet - what an MTA and a milter say to each other, bytes to structs
 * and back: pure, no sockets, no state. The MTA's half (postern asks foreign
 * milters behind the proxy); the milter's half is libmilter's, in milter/.
 *
 * There is no RFC. The protocol is what libmilter and Sendmail 8 speak,
 * versions 2 to 6 (libmilter/mfdef.h): a length of 4 bytes, network order, of
 * what follows; one byte that says what it is; data. Strings end with a NUL.
 */
#ifndef ENGINE_MILTER_PACKET_H
#define ENGINE_MILTER_PACKET_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/reply.h"

#define MILTER_VERSION_MIN 2
#define MILTER_VERSION_MAX 6
/* Bytes of data that a milter is sent at once: libmilter closes on more. */
#define MILTER_DATA_MAX 65535
/* ... and that it may send: nobody's header field or piece of body is more. */
#define MILTER_ANSWER_MAX (1u << 20)

enum milter_command {
	MILTER_ABORT = 'A',
	MILTER_BODY = 'B',
	MILTER_CONNECT = 'C',
	MILTER_MACRO = 'D',
	MILTER_END_OF_BODY = 'E',
	MILTER_HELO = 'H',
	MILTER_QUIT_NC = 'K', /* quit, but the connection is used again */
	MILTER_HEADER = 'L',
	MILTER_MAIL = 'M',
	MILTER_END_OF_HEADER = 'N',
	MILTER_OPTIONS = 'O', /* the negotiation, both ways */
	MILTER_QUIT = 'Q',
	MILTER_RCPT = 'R',
	MILTER_DATA = 'T',
	MILTER_UNKNOWN = 'U'
};

enum milter_answer {
	MILTER_ADD_RCPT = '+',
	MILTER_DELETE_RCPT = '-',
	MILTER_ADD_RCPT_PAR = '2',
	MILTER_SHUTDOWN = '4', /* 421 */
	MILTER_ACCEPT = 'a',
	MILTER_REPLACE_BODY = 'b',
	MILTER_CONTINUE = 'c',
	MILTER_DISCARD = 'd',
	MILTER_CHANGE_FROM = 'e',
	MILTER_CONN_FAIL = 'f',
	MILTER_ADD_HEADER = 'h',
	MILTER_INSERT_HEADER = 'i',
	MILTER_CHANGE_HEADER = 'm',
	MILTER_PROGRESS = 'p',
	MILTER_QUARANTINE = 'q',
	MILTER_REJECT = 'r',
	MILTER_SKIP = 's',
	MILTER_TEMPFAIL = 't',
	MILTER_REPLY_CODE = 'y'
};

/* What a milter may do at the end of the message. */
enum milter_may {
	MILTER_MAY_ADD_HEADERS = 0x01,
	MILTER_MAY_CHANGE_BODY = 0x02,
	MILTER_MAY_ADD_RCPT = 0x04,
	MILTER_MAY_DELETE_RCPT = 0x08,
	MILTER_MAY_CHANGE_HEADERS = 0x10,
	MILTER_MAY_QUARANTINE = 0x20,
	MILTER_MAY_CHANGE_FROM = 0x40,
	MILTER_MAY_ADD_RCPT_PAR = 0x80,
	MILTER_MAY_NAME_MACROS = 0x100
};

/* What it does not want to hear (NO_), or will not answer (MUTE_). */
enum milter_protocol {
	MILTER_NO_CONNECT = 0x1,
	MILTER_NO_HELO = 0x2,
	MILTER_NO_MAIL = 0x4,
	MILTER_NO_RCPT = 0x8,
	MILTER_NO_BODY = 0x10,
	MILTER_NO_HEADERS = 0x20,
	MILTER_NO_END_OF_HEADER = 0x40,
	MILTER_MUTE_HEADER = 0x80,
	MILTER_NO_UNKNOWN = 0x100,
	MILTER_NO_DATA = 0x200,
	MILTER_SKIPS = 0x400,
	MILTER_REFUSED_RCPTS = 0x800,
	MILTER_MUTE_CONNECT = 0x1000,
	MILTER_MUTE_HELO = 0x2000,
	MILTER_MUTE_MAIL = 0x4000,
	MILTER_MUTE_RCPT = 0x8000,
	MILTER_MUTE_DATA = 0x10000,
	MILTER_MUTE_UNKNOWN = 0x20000,
	MILTER_MUTE_END_OF_HEADER = 0x40000,
	MILTER_MUTE_BODY = 0x80000,
	MILTER_LEADING_SPACE = 0x100000 /* header values with their blank */
};

/* Lists of macros, as a milter numbers them when it names its own. */
enum milter_list {
	MILTER_LIST_CONNECT,
	MILTER_LIST_HELO,
	MILTER_LIST_MAIL,
	MILTER_LIST_RCPT,
	MILTER_LIST_DATA,
	MILTER_LIST_END_OF_BODY,
	MILTER_LIST_END_OF_HEADER
};
#define MILTER_LISTS 7

struct milter_options {
	uint32_t version, may, protocol;
	/* Names with blanks between, in the answer alone; .p NULL: not said. */
	struct pn_str macros[MILTER_LISTS];
};

/* What an MTA of that version offers. */
struct milter_options milter_offer(unsigned version);

struct milter_packet {
	char what; /* enum milter_command or milter_answer */
	struct pn_str data;
};

/*
 * The packet at the front of in: how many bytes it takes, with its data
 * pointing into them. 0: more must come. -1: it has no length or one beyond
 * max; nothing behind it can be trusted.
 */
long milter_packet_take(struct pn_str in, size_t max, struct milter_packet *);

/* ---- to the milter; none of the bufs has a cap ---- */

void milter_put(struct buf *, enum milter_command, struct pn_str data);
/* The front of one, whose n bytes of data the caller adds. */
void milter_put_head(struct buf *, enum milter_command, size_t n);
void milter_put_options(struct buf *, const struct milter_options *);
/* family '4' or '6' with an address, 'U': nothing is known. */
void milter_put_connect(struct buf *, struct pn_str host, char family,
    uint16_t port, struct pn_str address);
/*
 * HELO, HEADER, UNKNOWN and the arguments of MAIL, RCPT; of MACRO names and
 * values by turns behind the command they are for. NULs within are left out:
 * one would end its string. False, nothing put: it is more than a milter takes.
 */
bool milter_put_strings(struct buf *, enum milter_command,
    const struct pn_str *, size_t n);
bool milter_put_macros(struct buf *, enum milter_command of,
    const struct pn_str *, size_t n);

/* ---- from the milter; false: it is none of these ---- */

bool milter_read_options(struct pn_str data, struct milter_options *);

/* One answer. Strings point into the packet. */
struct milter_said {
	enum milter_answer what;
	uint32_t index;      /* INSERT_HEADER, CHANGE_HEADER */
	struct pn_str name;  /* headers; recipients and senders: the address */
	struct pn_str value; /* headers; ADD_RCPT_PAR, CHANGE_FROM: parameters;
				QUARANTINE: why; REPLY_CODE; REPLACE_BODY */
};
bool milter_read_answer(const struct milter_packet *, struct milter_said *);
/*
 * REPLY_CODE's text, "550-5.7.1 one\r\n550 5.7.1 two", its "%%" as "%": 4xx or
 * 5xx, all lines of one code. Lines of the result have LF between. Also false
 * at the arena's cap.
 */
bool milter_read_reply(struct pn_str text, struct arena *, struct reply *);
/* "connect", "accept" ...: for the log; "?" for what is none. */
const char *milter_command_name(char);
const char *milter_answer_name(char);

#endif
