#include "api/report.h"

struct bb_report *bb_report_new(const bb_allocator *mem, size_t count) {
    struct bb_report *report = bb_mem_zalloc(mem, sizeof *report);
    if (!report)
        return NULL;
    report->mem = *mem;
    bb_arena_init(&report->arena, &report->mem);
    report->rows = bb_arena_zalloc(&report->arena, count * sizeof *report->rows);
    report->count = count;
    if (!report->rows) {
        bb_report_free(report);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        report->rows[i].face.struct_size = sizeof(bb_attempt_report);
        report->rows[i].face.outcome = &report->rows[i].outcome;
        report->rows[i].outcome.struct_size = sizeof(bb_outcome);
    }
    return report;
}

size_t bb_report_count(const bb_report *report) {
    return report ? report->count : 0;
}

size_t bb_report_undelivered(const bb_report *report) {
    size_t undelivered = 0;
    for (size_t i = 0; i < bb_report_count(report); i++)
        undelivered += report->rows[i].outcome.verdict != BB_DELIVERED;
    return undelivered;
}

const bb_attempt_report *bb_report_row(const bb_report *report, size_t index) {
    return index < bb_report_count(report) ? &report->rows[index].face : NULL;
}

void bb_report_free(bb_report *report) {
    if (!report)
        return;
    bb_allocator mem = report->mem;
    bb_arena_free(&report->arena);
    bb_mem_free(&mem, report);
}
