/* SHA-256 (libmd) as text. */
#ifndef PLETHRON_DIGEST_H
#define PLETHRON_DIGEST_H

#include <sha2.h>

enum { DIGEST_TEXT = SHA256_DIGEST_STRING_LENGTH }; /* hexadecimal digits and a NUL */

/* A text with its NUL, so that texts one after another cannot run together. */
void digest_add_text(SHA2_CTX *context, const char *text);
/* Ends the digest. */
void digest_end(SHA2_CTX *context, char text[DIGEST_TEXT]);

#endif
