/* reply - an SMTP reply (RFC 5321 4.2) with its enhanced status (RFC 3463). */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include <stdint.h>

#include "filters/pn_str.h"

struct reply {
	uint16_t code;       /* 200-599; 0: none */
	char status[12];     /* "5.7.1", or "" */
	struct pn_str text;  /* without CR; LF between the lines of a long one;
				owner says how long it lives */
};

#endif
