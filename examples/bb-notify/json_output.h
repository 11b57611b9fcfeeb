/* Deliveries and requests for programs to read: one JSON object a line. */
#ifndef BB_NOTIFY_JSON_OUTPUT_H
#define BB_NOTIFY_JSON_OUTPUT_H

#include <bb_webhook.h>
#include <stdio.h>

void json_output_delivery(FILE *out, const bb_attempt_report *row);

/* An attempt of background delivery: the members of a delivery, and more. */
void json_output_attempt(FILE *out, const bb_notice *notice);

/* All statistics in one member. */
void json_output_statistics(FILE *out, const char *prometheus, size_t length);

/* Secrets are masked. */
void json_output_request(FILE *out, const bb_webhook *webhook, const bb_request *request);

#endif
