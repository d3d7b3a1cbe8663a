/* options - see options.c: KEY=VALUE words, and a socket on the loopback. */
#ifndef TESTS_OPTIONS_H
#define TESTS_OPTIONS_H

#include <stdint.h>

/* The VALUE behind key= among a program's words. */
const char *option(int argc, char **argv, const char *key,
    const char *otherwise);
uint64_t number(int argc, char **argv, const char *key, uint64_t otherwise);
/* Listens on 127.0.0.1 at a free port. */
int listen_on_loopback(uint16_t *port);

#endif
