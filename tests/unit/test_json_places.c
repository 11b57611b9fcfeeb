/* JSON that must be rewritten before it is read is found wherever that stands: most need not be,
 * and a quick look tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "support/arena.h"

enum { PLACES = 64 };

static struct bb_value *parse(const char *text) {
    struct bb_value *document = bb_json_parse(&arena, text, strlen(text));
    assert_non_null(document);
    return document;
}

static void a_long_integer_keeps_all_its_bits_at_every_place(void **state) {
    (void)state;
    for (int place = 1; place <= PLACES; place++) {
        char text[256];
        int64_t number = 0;
        snprintf(text, sizeof(text), "{\"before\":\"%*d\",\"number\":9007199254740993}", place, 7);
        struct bb_value *document = parse(text);
        if (!bb_json_int64(bb_json_get(document, "number"), &number))
            fail_msg("no integer at place %d", place);
        assert_true(number == INT64_C(9007199254740993));
        bb_json_free(document);
    }
}

static void a_nul_is_taken_out_at_every_place(void **state) {
    (void)state;
    for (int place = 1; place <= PLACES; place++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"before\":\"%*d\\n\\u0000.\",\"behind\":\"\\u0000!\"}",
                 place, 7);
        struct bb_value *document = parse(text);
        const char *before = bb_json_text(bb_json_get(document, "before"));
        assert_string_equal(before + place, "\n.");
        assert_string_equal(bb_json_text(bb_json_get(document, "behind")), "!");
        bb_json_free(document);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_integer_keeps_all_its_bits_at_every_place),
        cmocka_unit_test(a_nul_is_taken_out_at_every_place),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
