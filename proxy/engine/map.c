/* map - see map.h. */
#include "engine/map.h"

#include "base/log.h"
#include "engine/run.h"

enum engine_map_found
engine_map_find(struct engine *g, struct pn_str map, struct pn_str key,
    struct buf *value)
{
	struct rules_map_entry entry;
	struct error e = { .text = "a limit, or a broken file" };
	int found = rules_map_find(
	    g->conf->rules, g->rules_run, map, key, &entry, &e);

	if (found == TRI_TRUE)
		(void)buf_add_str(value, buf_str(&entry.value));
	else if (found != TRI_FALSE)
		log_error("", "map", "map=%s key=\"%s\" why=\"%s\"", VIS(map),
		    VIS(key), e.text);
	buf_fini(&entry.value);
	return found == TRI_TRUE ? ENGINE_MAP_FOUND
	    : found == TRI_FALSE ? ENGINE_MAP_NONE
				 : ENGINE_MAP_UNKNOWN;
}
