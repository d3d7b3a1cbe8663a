/* dnsserver - see dnsserver.h. Used by test_dns.c and test_engine.c. */
#include "dnsserver.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFETIME_S 60 /* a test that was killed leaves nothing behind */

/* The question's name in text, its type; bytes of header and question. */
static size_t
question(const unsigned char *p, size_t n, char *name, int *type)
{
	size_t at = 12, used = 0;

	while (at < n && p[at] != 0 && at + p[at] < n) {
		used += (size_t)sprintf(name + used, "%s%.*s", used ? "." : "",
		    p[at], (const char *)p + at + 1);
		at += (size_t)p[at] + 1;
	}
	*type = p[at + 1] << 8 | p[at + 2];
	return at + 5;
}

static size_t
put_name(unsigned char *out, const char *name)
{
	size_t n = 0;

	for (; *name != '\0'; name += name[0] == '.') {
		size_t len = strcspn(name, ".");

		out[n++] = (unsigned char)len;
		memcpy(out + n, name, len);
		n += len;
		name += len;
	}
	out[n++] = 0;
	return n;
}

static size_t
put_data(unsigned char *out, const struct dns_record *r)
{
	if (r->type == 1 || r->type == 28)
		return inet_pton(r->type == 1 ? AF_INET : AF_INET6, r->data,
			   out) == 1
		    ? (r->type == 1 ? 4 : 16)
		    : 0;
	if (r->type == 12)
		return put_name(out, r->data);
	/* TXT: two strings, to be read as one */
	out[0] = 1;
	out[1] = (unsigned char)r->data[0];
	out[2] = (unsigned char)(strlen(r->data) - 1);
	memcpy(out + 3, r->data + 1, out[2]);
	return (size_t)out[2] + 3;
}

static size_t
put_record(unsigned char *out, const struct dns_record *r)
{
	static const unsigned char head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0,
		60 };
	size_t n;

	memcpy(out, head, sizeof(head));
	out[3] = (unsigned char)r->type;
	n = put_data(out + 12, r);
	out[10] = (unsigned char)(n >> 8);
	out[11] = (unsigned char)n;
	return n + 12;
}

/* Bytes of the answer in packet, 0: none. */
static size_t
answer(unsigned char *packet, size_t n, const struct dns_record *r)
{
	char name[512] = "";
	int type, known = 0, count = 0, rcode = 0;

	n = question(packet, n, name, &type);
	for (; r->name != NULL; r++) {
		if (strcasecmp(r->name, name) != 0)
			continue;
		known = 1;
		if (strcmp(r->data, "silent") == 0)
			return 0;
		if (strcmp(r->data, "servfail") == 0)
			rcode = 2;
		else if (r->type == type && ++count)
			n += put_record(packet + n, r);
	}
	packet[2] = 0x81;
	packet[3] = (unsigned char)(0x80 | (known ? rcode : 3));
	memset(packet + 6, 0, 6);
	packet[7] = (unsigned char)count;
	return n;
}

static void
serve(int sock, const struct dns_record *records)
{
	unsigned char packet[4096];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;

	alarm(LIFETIME_S);
	while ((n = recvfrom(sock, packet, 512, 0, (struct sockaddr *)&from,
		    &len)) >= 0) {
		size_t out = n > 16 ? answer(packet, (size_t)n, records) : 0;

		if (out > 0)
			(void)sendto(sock, packet, out, 0,
			    (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
	_exit(0);
}

pid_t
dnsserver_start(const struct dns_record *records, char server[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	if (bind(sock, (struct sockaddr *)&a, len) < 0 ||
	    getsockname(sock, (struct sockaddr *)&a, &len) < 0 ||
	    (pid = fork()) < 0) {
		perror("dnsserver");
		exit(1);
	}
	if (pid == 0)
		serve(sock, records);
	(void)close(sock);
	(void)snprintf(server, 32, "127.0.0.1@%d", ntohs(a.sin_port));
	return pid;
}

void
dnsserver_stop(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}
