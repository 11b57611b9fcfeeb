/* A flow in virtual time, and what attempts may say of it. */
#ifndef SUPPORT_FLOW_H
#define SUPPORT_FLOW_H

#include <stdbool.h>

#include "delivery/flow.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

extern const struct bb_flow_rules flow_rules; /* the usual ones */

/* Of a Custom webhook, made anew before each test. */
extern struct bb_flow flow;
extern struct bb_pause flow_type_pause;
extern bb_webhook flow_webhook;
extern int64_t flow_now_ms;

int flow_begin(void **state);
int flow_end(void **state); /* fails when memory is left behind */
#define FLOW_TEST(test) cmocka_unit_test_setup_teardown(test, flow_begin, flow_end)

/* Reads `flow_webhook` anew. */
void flow_configure(void);

extern const bb_outcome flow_success, flow_failure, flow_lost, flow_refusal, flow_too_large;
extern const bb_outcome flow_put_off; /* by 10 s */
extern const bb_outcome flow_gone;

struct bb_flow_news flow_note(const bb_outcome *outcome);
struct bb_flow_news flow_note_of_post(const bb_outcome *outcome);
struct bb_flow_news flow_note_often(const bb_outcome *outcome, int count); /* the last one's */
bool flow_is_news(struct bb_flow_news news);

/* How it stands now. */
enum bb_flow_stop flow_stop(void);
int64_t flow_wait(void);

/* How many may be under way. */
uint32_t flow_room(void);

#endif
