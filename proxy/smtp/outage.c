/* outage - see outage.h. */
#include "smtp/outage.h"

enum outage_news
outage_failed(struct outage *o, uint64_t now_ms)
{
	if (o->failures++ == 0) {
		o->since_ms = o->told_ms = now_ms;
		return OUTAGE_BEGINS;
	}
	if (now_ms - o->told_ms < OUTAGE_REMIND_MS)
		return OUTAGE_NO_NEWS;
	o->told_ms = now_ms;
	return OUTAGE_LASTS;
}

uint64_t
outage_lasts_ms(const struct outage *o, uint64_t now_ms)
{
	return o->failures > 0 ? now_ms - o->since_ms : 0;
}

bool
outage_ended(struct outage *o, uint64_t now_ms, uint64_t *lasted_ms)
{
	bool was = o->failures > 0;

	*lasted_ms = outage_lasts_ms(o, now_ms);
	*o = (struct outage){ 0 };
	return was;
}

/* 1 s, 2 s, 4 s ... */
uint64_t
outage_pause_ms(const struct outage *o)
{
	uint64_t ms = OUTAGE_FIRST_MS;

	for (unsigned i = 1; i < o->failures && ms < OUTAGE_LAST_MS; i++)
		ms *= 2;
	return ms < OUTAGE_LAST_MS ? ms : OUTAGE_LAST_MS;
}
