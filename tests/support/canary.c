#include "support/canary.h"

#include "support/posting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void note(canaries *known, const char *from, size_t length) {
    if (from == NULL || length == 0)
        return;
    assert_true(known->count < CANARY_SIGNATURES && length < CANARY_MAX);
    memcpy(known->text[known->count], from, length);
    known->text[known->count++][length] = '\0';
}

static void note_after(canaries *known, const char *in, const char *name, const char *stop) {
    const char *at = strstr(in, name);
    if (at != NULL)
        note(known, at + strlen(name), strcspn(at + strlen(name), stop));
}

/* The query's, as it was meant before it was percent-encoded. */
static void note_decoded(canaries *known, const char *encoded) {
    char decoded[CANARY_MAX];
    size_t length = 0;
    for (; *encoded != '\0'; encoded++, length++) {
        unsigned byte = (unsigned char)*encoded;
        if (*encoded == '%' && sscanf(encoded + 1, "%2x", &byte) == 1)
            encoded += 2;
        decoded[length] = (char)byte;
    }
    note(known, decoded, length);
}

canaries canary_signatures(const server_request *request) {
    canaries known = {.count = 0};
    note_after(&known, request->query, "sign=", "&");
    if (known.count > 0)
        note_decoded(&known, known.text[0]);
    note_after(&known, request->body, "\"sign\":\"", "\"");
    const char *custom = server_header(request, "webhook-signature");
    while (custom != NULL && *custom != '\0') { /* each without its version */
        size_t length = strcspn(custom, " "), version = strcspn(custom, ",") + 1;
        note(&known, custom + version, length - version);
        custom += length + strspn(custom + length, " ");
    }
    return known;
}

void canary_assert_silent(const char *where, const char *text, const canaries *known) {
    if (text == NULL)
        return;
    if (strstr(text, CANARY) != NULL)
        fail_msg("%s tells a secret: %s", where, text);
    for (size_t i = 0; known != NULL && i < known->count; i++) {
        if (strstr(text, known->text[i]) != NULL)
            fail_msg("%s tells a signature: %s", where, text);
    }
}

static int is_in(const char *bytes, size_t length, const char *part) {
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= length; i++)
        if (memcmp(bytes + i, part, n) == 0)
            return 1;
    return 0;
}

void canary_assert_bytes_silent(const char *where, const char *bytes, size_t length,
                                server *receiver) {
    if (is_in(bytes, length, CANARY))
        fail_msg("%s tells a secret", where);
    for (size_t i = 0; i < server_requests(receiver); i++) {
        canaries known = canary_signatures(server_request_at(receiver, i));
        for (size_t k = 0; k < known.count; k++)
            if (is_in(bytes, length, known.text[k]))
                fail_msg("%s tells a signature", where);
    }
}

void canary_assert_file_silent(const char *path, server *receiver) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return; /* such as a -wal that was folded in */
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    char *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
    fclose(file);
    canary_assert_bytes_silent(path, bytes, (size_t)size, receiver);
    free(bytes);
}

bb_webhook canary_hook(bb_type type, const char *id, const char *base) {
    static char urls[BB_CUSTOM + 1][300];
    static const bb_header headers[] = {{"X-Api-Key", "cAnArYkey-0123456789"},
                                        {"X-Pair", "name cAnArYpair-0123456789, 7"}};
    snprintf(urls[type], sizeof urls[type],
             "%s/%d/cAnArYpath-0123456789?access_token=cAnArYtoken0123456789", base, type);
    bb_webhook hook = posting_hook(type, id, urls[type]);
    bool is_signed = type == BB_DINGTALK || type == BB_FEISHU;
    hook.secret = type == BB_CUSTOM ? "whsec_cAnArYcAnArYcAnArYcAnArYcAnArYcA"
                  : is_signed       ? "SECcAnArY0123456789abcdef"
                                    : NULL;
    hook.previous_secret = type == BB_CUSTOM ? "cAnArYoldcAnArYoldcAnArYoldcAnAr" : NULL;
    hook.authorization = "Bearer cAnArYbearer0123456789";
    hook.headers = headers;
    hook.header_count = 2;
    return hook;
}
