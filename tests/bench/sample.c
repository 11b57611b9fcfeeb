/* The event that is posted, different each time. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

void bench_sample_init(struct bench_sample *s) {
    memset(s, 0, sizeof *s);
    bb_struct_init(&s->event, sizeof s->event);
    bb_struct_init(&s->issue, sizeof s->issue);
    bb_struct_init(&s->project, sizeof s->project);
    bb_struct_init(&s->task, sizeof s->task);
    bb_struct_init(&s->creator, sizeof s->creator);
    s->event.activity = BB_TASK_STATUS_UPDATE;
    s->event.link = "https://bb.example.com/projects/shop/issues/101";
    s->event.created_ts = 1700000000;
    s->event.issue = &s->issue;
    s->event.project = &s->project;
    s->event.task = &s->task;
    s->event.creator = &s->creator;
    s->issue.name = s->name;
    s->issue.status = BB_ISSUE_OPEN;
    s->issue.type = "bb.issue.database.schema.update";
    s->issue.description =
        "Orders are looked up by customer all day long, and the table is scanned each time. This "
        "adds the index that the query planner has been asking for since the spring.";
    s->project.id = 7;
    s->project.name = "Shop";
    s->task.id = 3;
    s->task.name = "Create index on prod.orders";
    s->task.old_status = BB_TASK_RUNNING;
    s->task.status = BB_TASK_FAILED;
    s->task.detail = s->detail;
    s->creator.id = 42;
    s->creator.name = "Alice Martin";
}

void bench_sample_next(struct bench_sample *s, unsigned number) {
    s->issue.id = number;
    snprintf(s->name, sizeof s->name, "Add index to orders, take %u", number);
    snprintf(s->detail, sizeof s->detail,
             "ERROR: could not create unique index \"orders_customer_idx\" (SQLSTATE 23505), "
             "attempt %u: Key (customer_id)=(%u) is duplicated. The statement was rolled back.",
             number, number * 7);
}
