/* played - see played.c: what a program has to fill in of engine and keeper. */
#ifndef TESTS_PLAYED_H
#define TESTS_PLAYED_H

#include "base/loop.h"
#include "engine/engine.h"

struct engine {
	struct loop *loop;
	const char *early; /* what the connect stage says */
};
struct keep {
	struct loop *loop;
};

#endif
