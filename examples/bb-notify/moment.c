#include "moment.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

/* '0' in the form stands for a digit, everything else for itself. */
static bool has_form(const char *text, const char *form) {
    if (strlen(text) != strlen(form))
        return false;
    for (; *form; text++, form++)
        if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
            return false;
    return true;
}

static int number_at(const char *text, int digits) {
    int number = 0;
    while (digits-- > 0)
        number = number * 10 + (*text++ - '0');
    return number;
}

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static int64_t leap_days_before(int year) {
    int past = year - 1;
    return past / 4 - past / 100 + past / 400;
}

/* Of a day that there is, since 1970; else false. */
static bool days_since_1970(const char *date, int64_t *days) {
    int year = number_at(date, 4), month = number_at(date + 5, 2), day = number_at(date + 8, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *days = (year - 1970) * INT64_C(365) + leap_days_before(year) - leap_days_before(1970);
    for (int i = 1; i < month; i++)
        *days += days_in(year, i);
    *days += day - 1;
    return true;
}

bool moment_read(const char *text, int64_t *ms) {
    int64_t days;
    int hour = 0, minute = 0, second = 0;
    bool has_time = has_form(text, "0000-00-00T00:00:00Z");
    if ((!has_time && !has_form(text, "0000-00-00")) || !days_since_1970(text, &days))
        return false;
    if (has_time) {
        hour = number_at(text + 11, 2);
        minute = number_at(text + 14, 2);
        second = number_at(text + 17, 2);
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000;
    return *ms > 0;
}

const char *moment_text(int64_t ms, char out[MOMENT_SIZE]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm moment;
    if (!gmtime_r(&seconds, &moment) ||
        strftime(out, MOMENT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &moment) == 0)
        return "-";
    return out;
}
