/*
 * Scanner for the markup dialects. It goes over one text and asks at each place:
 * is this a token of ours, an escape, or a byte that is live and should not be?
 */
#ifndef DECODE_MARKUP_H
#define DECODE_MARKUP_H

#include "decode/decode_inside.h"

/* What is live at the beginning of a line. */
enum decode_line {
    DECODE_HEADING = 1,       /* "# " */
    DECODE_HASH = 2,          /* "#", with or without a blank */
    DECODE_QUOTE = 4,         /* ">" */
    DECODE_QUOTE_BLANK = 8,   /* "> ", ">>> " */
    DECODE_QUOTE_ENTITY = 16, /* "&gt;" */
    DECODE_LIST = 32,         /* "- ", "+ ", "* " */
    DECODE_ORDERED = 64,      /* "1. " */
    DECODE_SUBTEXT = 128,     /* "-# " */
    DECODE_RULE = 256         /* "---" */
};

struct decode_scan;

struct decode_dialect {
    const char *bare;    /* bytes that must not stand as they are */
    const char *inner;   /* bytes that stand only between two letters or digits */
    const char *doubled; /* bytes that are live twice in a row */
    const char *bold;    /* around labels of ours; NULL: they have no mark */
    bool label_per_line; /* labels begin a line; else only the text */
    bool backslash;      /* "\" and an ASCII mark is that mark */
    bool emoji;          /* ":name:" is a picture */
    bool links;          /* "[label](url)" */
    bool quotation;      /* one run of lines with "> " is ours; not the marks in it */
    unsigned line;       /* set of decode_line */
    /* Length of a line's beginning that is ours, 0: none. May be NULL. */
    size_t (*own_line)(struct decode_scan *scan);
    /* Length of a token at `scan->at`, live but ours or reported; 0: none. */
    size_t (*token)(struct decode_scan *scan);
    /* Length of an entity at `at` and what it stands for; 0: none. May be NULL. */
    size_t (*entity)(const char *at, char *plain);
};

struct decode_scan {
    struct decoding *d;
    const cJSON *where;
    const struct decode_dialect *dialect;
    const char *text, *at;
    const char *link_end; /* where the second half of our link begins, or NULL */
    size_t link_end_length;
    const char *bold_end;  /* where our bold ends, or NULL */
    bool titled;           /* the text begins with the title, which may be bold */
    bool quoted, in_quote; /* our quotation has begun; the last line was of it */
};

/* Scans the text of `where` and adds what it shows to the texts. */
void decode_markup(struct decoding *d, const cJSON *where, const struct decode_dialect *dialect);
/* The same for a text that begins with the message's title. */
void decode_titled(struct decoding *d, const cJSON *where, const struct decode_dialect *dialect);

/* For tokens: */
void decode_live(struct decode_scan *scan, const char *what);
bool decode_starts(const char *at, const char *with);
/* Whether a label of ours, in bold, begins at `at`. */
bool decode_label(const struct decode_scan *scan, const char *at);
/* Notes the label that the text is; false when it is none, or stands there twice. */
bool decode_label_once(struct decode_scan *scan, const char *text, size_t length);
/* "&#60;" and "&amp; &lt; &gt; &quot;"; 0 for anything else. */
size_t decode_html_entity(const char *at, char *plain);

#endif
