/* domain - see domain.h. Called by routes, configuration, MX and
 * releases. */
#include "mail/domain.h"

#include <idn2.h>
#include <string.h>

/* U-labels become A-labels. */
static bool
to_ascii(char out[DOMAIN_MAX])
{
	char *ascii = NULL;
	size_t n;

	if (idn2_to_ascii_8z(out, &ascii,
		IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	n = strlen(ascii);
	if (n < DOMAIN_MAX)
		memcpy(out, ascii, n + 1);
	idn2_free(ascii);
	return n < DOMAIN_MAX;
}

bool
domain_ascii(struct pn_str domain, char out[DOMAIN_MAX])
{
	size_t n = domain.n;
	bool utf8 = false;

	if (n > 0 && domain.p[n - 1] == '.')
		n--;
	if (n >= DOMAIN_MAX || (n > 0 && memchr(domain.p, '\0', n) != NULL))
		return false;
	for (size_t i = 0; i < n; i++) {
		out[i] = pn_lower(domain.p[i]);
		utf8 |= (unsigned char)out[i] >= 128;
	}
	out[n] = '\0';
	return !utf8 || to_ascii(out);
}

bool
domain_has_labels(const char *domain)
{
	size_t n = strlen(domain);

	return n > 0 && domain[0] != '.' && domain[n - 1] != '.' &&
	    strstr(domain, "..") == NULL;
}
