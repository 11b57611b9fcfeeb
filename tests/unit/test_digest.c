/* Hashes against their standards' vectors, base64 strictly, and signatures of the products. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_hex(const unsigned char *data, const char *expected) {
    char hex[2 * BB_SHA256_SIZE + 1];
    bb_hex(data, BB_SHA256_SIZE, hex);
    assert_string_equal(hex, expected);
}

/* FIPS 180-2, appendix B. */
static void sha256_gives_the_standards_digests(void **state) {
    (void)state;
    unsigned char digest[BB_SHA256_SIZE];
    assert_true(bb_sha256("", 0, digest));
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(bb_sha256("abc", 3, digest));
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_true(bb_sha256(two_blocks, sizeof(two_blocks) - 1, digest));
    assert_hex(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, cases 1, 2, 3, 6 and 7. */
/* In one part, and in two: the same. */
static bool hmac(const void *key, size_t key_length, const void *data, size_t length,
                 unsigned char digest[BB_SHA256_SIZE]) {
    unsigned char whole[BB_SHA256_SIZE];
    const struct bb_part one[] = {{data, length}};
    const struct bb_part two[] = {{data, 1}, {(const char *)data + 1, length - 1}};
    return bb_hmac_sha256(key, key_length, one, 1, whole) &&
           bb_hmac_sha256(key, key_length, two, 2, digest) &&
           memcmp(whole, digest, sizeof(whole)) == 0;
}

static void hmac_gives_the_standards_digests(void **state) {
    (void)state;
    unsigned char key[131], data[50], digest[BB_SHA256_SIZE];
    memset(key, 0x0B, 20);
    assert_true(hmac(key, 20, "Hi There", 8, digest));
    assert_hex(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_true(hmac("Jefe", 4, "what do ya want for nothing?", 28, digest));
    assert_hex(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xAA, sizeof(key));
    memset(data, 0xDD, sizeof(data));
    assert_true(hmac(key, 20, data, sizeof(data), digest));
    assert_hex(digest, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    static const char long_key[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    assert_true(hmac(key, sizeof(key), long_key, sizeof(long_key) - 1, digest));
    assert_hex(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_true(hmac("It's a Secret to Everybody", 26, "Hello, World!", 13, digest));
    assert_hex(digest, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

/* By its definition a key of up to a block is filled with zeros, a longer one is its digest. */
static void hmac_takes_keys_of_every_length(void **state) {
    (void)state;
    enum { BLOCK = 64, LONGEST = 3 * BLOCK };
    unsigned char key[LONGEST], digests[LONGEST + 1][BB_SHA256_SIZE];
    for (size_t i = 0; i < LONGEST; i++)
        key[i] = (unsigned char)(i + 1);
    for (size_t n = 0; n <= LONGEST; n++) {
        unsigned char other[BLOCK] = {0}, digest[BB_SHA256_SIZE];
        if (n > BLOCK)
            assert_true(bb_sha256(key, n, other));
        else
            memcpy(other, key, n);
        assert_true(hmac(key, n, "abc", 3, digests[n]));
        assert_true(hmac(other, n > BLOCK ? BB_SHA256_SIZE : BLOCK, "abc", 3, digest));
        assert_memory_equal(digest, digests[n], sizeof(digest));
        for (size_t shorter = 0; shorter < n; shorter++)
            assert_memory_not_equal(digests[shorter], digests[n], sizeof(digest));
    }
}

/* ------------------------------------------------------------------ base64 -- */

/* RFC 4648, section 10. */
static const struct {
    const char *plain, *encoded;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void base64_gives_the_standards_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char encoded[16];
        unsigned char decoded[16];
        size_t n = strlen(vectors[i].plain);
        bb_base64_encode((const unsigned char *)vectors[i].plain, n, encoded);
        assert_string_equal(encoded, vectors[i].encoded);
        assert_int_equal(bb_base64_decode(encoded, decoded, sizeof(decoded)), n);
        assert_memory_equal(decoded, vectors[i].plain, n);
        encoded[strcspn(encoded, "=")] = '\0'; /* unpadded */
        assert_int_equal(bb_base64_decode(encoded, decoded, sizeof(decoded)), n);
        assert_memory_equal(decoded, vectors[i].plain, n);
    }
}

static void bytes_of_every_length_come_back(void **state) {
    (void)state;
    for (size_t n = 0; n <= 256; n++) {
        unsigned char bytes[256] = {0}, decoded[256];
        char encoded[4 * 86 + 1];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)(i * 7 + n);
        bb_base64_encode(bytes, n, encoded);
        assert_int_equal(bb_base64_decode(encoded, decoded, n), n);
        assert_memory_equal(decoded, bytes, n);
        if (n > 0)
            assert_int_equal(bb_base64_decode(encoded, decoded, n - 1), -1);
    }
}

static const char *const not_base64[] = {
    "A",        "AAAAA", "A===",  "AA===",        "AAAA====",
    "=",        "====",  "=AAA",  "A=AA",         "AA=A",
    "AA==AA==", "AA=\n", "AAA\n", "AAAA\n",       "AAAA\n\n\n\n",
    "AAAA    ", " AAAA", "AA AA", "AAA-",         "AAAA----",
    "AA_A",     "AAA!",  "AA\tA", "AAAA\r\n\r\n", "A\xE4\xB8\x96",
};

static void what_is_not_base64_is_refused(void **state) {
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT(not_base64); i++) {
        unsigned char decoded[64];
        if (bb_base64_decode(not_base64[i], decoded, sizeof(decoded)) != -1) {
            print_error("accepted: \"%s\"\n", not_base64[i]);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void a_text_longer_than_any_secret_is_refused(void **state) {
    (void)state;
    static char text[5000];
    unsigned char decoded[4096];
    memset(text, 'A', sizeof(text) - 1);
    assert_int_equal(bb_base64_decode(text, decoded, sizeof(decoded)), -1);
}

/* --------------------------------------------------------------------- rest -- */

static void hex_is_lower_case(void **state) {
    (void)state;
    char hex[9];
    bb_hex((const unsigned char[]){0x00, 0x9F, 0xAB, 0xFF}, 4, hex);
    assert_string_equal(hex, "009fabff");
    bb_hex(NULL, 0, hex);
    assert_string_equal(hex, "");
}

static void random_bytes_differ(void **state) {
    (void)state;
    unsigned char a[16], b[16];
    assert_true(bb_random(a, sizeof(a)));
    assert_true(bb_random(b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_secret_is_wiped(void **state) {
    (void)state;
    char secret[] = "secret";
    static const char zeros[sizeof(secret)];
    bb_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, zeros, sizeof(secret));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_standards_digests),
        cmocka_unit_test(hmac_gives_the_standards_digests),
        cmocka_unit_test(hmac_takes_keys_of_every_length),
        cmocka_unit_test(base64_gives_the_standards_texts),
        cmocka_unit_test(bytes_of_every_length_come_back),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(a_text_longer_than_any_secret_is_refused),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(random_bytes_differ),
        cmocka_unit_test(a_secret_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
