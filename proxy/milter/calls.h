/*
 * calls - libmilter's calls of the C library, by other names: the build takes
 * its archive and renames what it calls (local.mk), and nobody else calls
 * these. So libmilter's threads are fibers of the loop, and its sockets are
 * read ahead: one system call for all packets that are there.
 *
 * libmilter knows nothing of it: it waits in poll(2) and pthread_cond_wait(3)
 * as ever, for its own sockets, its pipe and its one condition. Locks stay
 * what they are: it never waits with one held that another wants.
 */
#ifndef MILTER_CALLS_H
#define MILTER_CALLS_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "milter/fiber.h"

/* Before libmilter is started; once. */
void calls_init(struct loop *, struct fibers *);
/* How many connections libmilter has, those that have said nothing yet too. */
unsigned calls_open(void);
/* It shall not look at this listening socket any more. */
void calls_forget(int fd);

int milter_poll(struct pollfd *, nfds_t, int ms);
ssize_t milter_read(int fd, void *, size_t);
ssize_t milter_write(int fd, const void *, size_t);
ssize_t milter_writev(int fd, const struct iovec *, int n);
int milter_accept(int fd, struct sockaddr *, socklen_t *);
int milter_close(int fd);
int milter_pipe(int fds[2]);
unsigned milter_sleep(unsigned seconds);
int milter_pthread_create(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);
int milter_pthread_detach(pthread_t);
int milter_pthread_sigmask(int how, const sigset_t *, sigset_t *);
int milter_sigwait(const sigset_t *, int *);
int milter_pthread_cond_init(pthread_cond_t *, const pthread_condattr_t *);
int milter_pthread_cond_destroy(pthread_cond_t *);
int milter_pthread_cond_signal(pthread_cond_t *);
int milter_pthread_cond_timedwait(pthread_cond_t *, pthread_mutex_t *,
    const struct timespec *);

#endif
