/* Dead letters and their attempts on standard output, for people and as JSON. */
#ifndef BB_NOTIFY_DEAD_PRINT_H
#define BB_NOTIFY_DEAD_PRINT_H

#include "json_line.h"
#include "session.h"

/* One row of a table. */
void dead_print_row(struct session *session, const bb_dead_letter *letter);

/* All of a letter, ending with the heading of its attempts; then one of these. */
void dead_print_whole(const struct session *session, const bb_dead_letter *letter);
void dead_print_attempt(const bb_attempt_record *attempt);

/* Its members in a line of JSON that is ended by the caller; an element of an open array in it. */
void dead_print_json_begin(struct json_line *line, const bb_dead_letter *letter);
void dead_print_json_attempt(struct json_line *line, const bb_attempt_record *attempt);

#endif
