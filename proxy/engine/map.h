/*
 * map - what a map of the policy holds for a key, for those that ask outside
 * rules: the doors' routes.
 */
#ifndef ENGINE_MAP_H
#define ENGINE_MAP_H

#include "base/buf.h"
#include "engine/engine.h"

enum engine_map_found { ENGINE_MAP_NONE, ENGINE_MAP_FOUND, ENGINE_MAP_UNKNOWN };

/*
 * An address is also looked for as @domain. The value is added to *value.
 * UNKNOWN, which is logged: a broken file, or a pattern that ran into a limit.
 */
enum engine_map_found engine_map_find(struct engine *, struct pn_str map,
    struct pn_str key, struct buf *value);

#endif
