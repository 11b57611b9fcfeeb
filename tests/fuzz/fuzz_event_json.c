/*
 * Whatever stands where an event's JSON should (a line of a file, a row that SQL has written): it
 * is refused in one sentence, or read; and what is read and printed is read again as the same, also
 * after it was at rest in a store's memory.
 */
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "decode/decode_inside.h"
#include "driver/store_note.h"
#include "event/parcel.h"

/* To be freed. */
static char *print(const bb_event *event) {
    bb_error error = BB_ERROR_INIT;
    size_t length = 0, again = 0;
    int code = bb_event_print(event, NULL, 0, &length, &error);
    FUZZ_CHECK(code == BB_ERR_TOO_LARGE, "no room gave %d, %s", code, error.text);
    char *text = malloc(length + 1);
    FUZZ_CHECK(text, "no memory");
    code = bb_event_print(event, text, length + 1, &again, &error);
    FUZZ_CHECK(code == BB_OK && again == length && strlen(text) == length,
               "print gave %d, %zu and %zu bytes", code, again, length);
    return text;
}

/* One line of JSON. */
static void check_line(const char *text) {
    char why[256];
    struct decoding d = {.product = "event", .body = text, .length = strlen(text)};
    d.why = why;
    d.why_size = sizeof(why);
    FUZZ_CHECK(decode_json(&d), "%s: %s", why, text);
    for (const char *c = text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= ' ', "holds a control: %s", text);
}

static void must_print(struct bb_parcel *parcel, const char *wanted) {
    bb_error error = BB_ERROR_INIT;
    FUZZ_CHECK(parcel, "no memory");
    const bb_event *event = bb_parcel_open(parcel, &error);
    FUZZ_CHECK(event, "an event, and as a row %s", error.text);
    char *kept = print(event);
    FUZZ_CHECK(strcmp(kept, wanted) == 0, "%s, at rest %s", wanted, kept);
    free(kept);
    bb_parcel_release(parcel);
}

/* As stores keep a row of theirs in memory, and an event that waits there; one without an id is
 * given one of its row. */
static void check_stored(const bb_event *event, const char *json, size_t size) {
    bb_event expected = *event;
    if (!expected.id)
        expected.id = "evt_sql_7";
    char *wanted = print(&expected);
    must_print(bb_parcel_of_json(&bb_mem_default, 7, json, size), wanted);
    must_print(bb_parcel_new(&bb_mem_default, &expected), wanted);
    free(wanted);
}

static void check_refused(int code, const bb_error *error, const char *json, size_t size) {
    bb_error again = BB_ERROR_INIT;
    char reason[BB_NOTE_REASON];
    FUZZ_CHECK(code == BB_ERR_EVENT, "parse gave %d, %s", code, error->text);
    struct bb_parcel *parcel = bb_parcel_of_json(&bb_mem_default, 7, json, size);
    FUZZ_CHECK(parcel, "no memory");
    FUZZ_CHECK(!bb_parcel_open(parcel, &again), "no event, but a row");
    FUZZ_CHECK(strcmp(again.text, error->text) == 0, "%s, as a row %s", error->text, again.text);
    bb_parcel_release(parcel);
    bb_note_unreadable(reason, &again);
    fuzz_check_printable("reason", reason, sizeof(reason));
}

static void check_again(const char *text) {
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    int code = bb_event_parse(NULL, text, strlen(text), &document, &error);
    FUZZ_CHECK(code == BB_OK, "%s: %s", error.text, text);
    char *again = print(bb_event_doc_event(document));
    FUZZ_CHECK(strcmp(text, again) == 0, "%s, then %s", text, again);
    free(again);
    bb_event_doc_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bb_event_doc *document = NULL;
    bb_error error = BB_ERROR_INIT;
    const char *json = size ? (const char *)data : "";
    int code = bb_event_parse(NULL, json, size, &document, &error);
    if (!fuzz_check_error("parse", code, &error)) {
        FUZZ_CHECK(!document, "refused, and a document");
        check_refused(code, &error, json, size);
        return 0;
    }
    char *text = print(bb_event_doc_event(document));
    check_line(text);
    check_stored(bb_event_doc_event(document), json, size);
    check_again(text);
    free(text);
    bb_event_doc_free(document);
    return 0;
}
