#include "demo_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text.h"

enum { TITLE_WIDTH = 74, TYPE_WIDTH = 8, URL_WIDTH = 27, ANSWER_WIDTH = 34 };

void demo_print_event(size_t number, int64_t time_ms, const char *title, bb_activity activity) {
    char clock[16] = "";
    time_t when = (time_t)(time_ms / 1000);
    struct tm utc;
    if (gmtime_r(&when, &utc))
        strftime(clock, sizeof clock, "%H:%M:%S", &utc);
    printf("%s%2zu  %s  ", number > 1 ? "\n" : "", number, clock);
    text_print_column(stdout, title, TITLE_WIDTH);
    printf("  %s\n", bb_activity_name(activity));
}

static void print_answer(const struct receiver_exchange *exchange) {
    char answer[1100];
    snprintf(answer, sizeof answer, "%d %s", exchange->answer.status, exchange->answer.body);
    text_print_column(stdout, answer, ANSWER_WIDTH);
}

void demo_print_delivery(const struct demo_delivery *delivery) {
    const bb_attempt_report *row = delivery->row;
    printf("    ");
    text_print_column(stdout, bb_type_name(row->type), TYPE_WIDTH);
    if (delivery->exchange) {
        printf("  %5zu B -> ", delivery->exchange->request.body_length);
        text_print_column(stdout, delivery->masked_url, URL_WIDTH);
        printf("  <- ");
        print_answer(delivery->exchange);
    } else {
        printf("  nothing sent");
    }
    printf("  %s, %" PRId64 " ms\n", bb_verdict_name(row->outcome->verdict), row->duration_ms);
    if (row->outcome->verdict != BB_DELIVERED) {
        printf("              ");
        text_print(stdout, row->outcome->text);
        printf("\n");
    }
}
