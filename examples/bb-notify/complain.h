/* One line on standard error: "bb-notify: ...". */
#ifndef BB_NOTIFY_COMPLAIN_H
#define BB_NOTIFY_COMPLAIN_H

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
