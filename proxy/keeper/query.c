/* query - see query.h. */
#include "keeper/query.h"

#include "keeper/control.h"
#include "keeper/protocol.h"

const char *
query_read(const json_t *request, unsigned limit, struct mail_query *q)
{
	struct pn_str client = { NULL, 0 };
	uint64_t most = limit;

	*q = (struct mail_query){ 0 };
	if (!control_number(request, "since", &q->since_us) ||
	    !control_number(request, "until", &q->until_us) ||
	    !control_number(request, "limit", &most))
		return "since, until and limit are numbers";
	if (!control_text(request, "from", &q->from) ||
	    !control_text(request, "to", &q->to) ||
	    !control_text(request, "client", &client) ||
	    !control_text(request, "rule", &q->rule) ||
	    !control_text(request, "action", &q->action) ||
	    !control_text(request, "policy", &q->policy) ||
	    !control_text(request, "would", &q->would) ||
	    !control_text(request, "upstream", &q->upstream) ||
	    !control_text(request, "server", &q->server) ||
	    !control_text(request, "state", &q->state) ||
	    !control_text(request, "class", &q->class_name) ||
	    !control_text(request, "subject", &q->subject) ||
	    !control_text(request, "before", &q->before))
		return "all else that is asked for are texts";
	if (most < 1 || most > CONTROL_LIST_MAX)
		return "limit is 1 to 1000";
	q->limit = (unsigned)most;
	q->null_sender = q->from.p != NULL && q->from.n == 0;
	q->has_client = client.n > 0;
	if (q->has_client && !match_net_parse(client, &q->client))
		return "client is an address or a network";
	return NULL;
}

bool
query_is_or_any(struct pn_str wanted, struct pn_str value)
{
	return wanted.n == 0 || pn_str_eq(wanted, value);
}

static bool
sender_holds(const struct mail_query *q, struct pn_str sender)
{
	if (q->null_sender)
		return sender.n == 0;
	return q->from.n == 0 || match_address(q->from, sender);
}

bool
query_holds(const struct mail_query *q, const struct mail_row *row)
{
	return sender_holds(q, row->sender) &&
	    (q->subject.n == 0 || match_text(q->subject, row->subject)) &&
	    (!q->has_client || match_net(&q->client, row->client));
}
