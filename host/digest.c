#include "digest.h"

#include <stdio.h>
#include <string.h>

void digest_add_text(SHA2_CTX *context, const char *text) {
    SHA256Update(context, (const uint8_t *)text, strlen(text) + 1);
}

void digest_end(SHA2_CTX *context, char text[DIGEST_TEXT]) {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, context);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
