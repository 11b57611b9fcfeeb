#include "json_line.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

static const char *short_escape(uint32_t character) {
    switch (character) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static void write_character_as_it_is(FILE *out, uint32_t character, const char *bytes,
                                     size_t length) {
    if (character == TEXT_REPLACEMENT)
        fputs("\xEF\xBF\xBD", out);
    else
        fwrite(bytes, 1, length, out);
}

static void write_character(FILE *out, uint32_t character, const char *bytes, size_t length) {
    const char *escape = short_escape(character);
    if (escape)
        fputs(escape, out);
    else if (character < 0x20)
        fprintf(out, "\\u%04x", (unsigned)character);
    else
        write_character_as_it_is(out, character, bytes, length);
}

static void write_quoted(FILE *out, const char *value, size_t length) {
    fputc('"', out);
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t taken = text_decode(value + at, length - at, &character);
        write_character(out, character, value + at, taken);
        at += taken;
    }
    fputc('"', out);
}

static void write_name(struct json_line *line, const char *name) {
    json_line_element(line, name);
    fputc(':', line->out);
}

void json_line_begin(struct json_line *line, FILE *out) {
    *line = (struct json_line){out, ""};
    fputc('{', out);
}

void json_line_end(struct json_line *line) {
    fputs("}\n", line->out);
}

void json_line_bytes(struct json_line *line, const char *name, const char *value, size_t length) {
    write_name(line, name);
    write_quoted(line->out, value, length);
}

void json_line_string(struct json_line *line, const char *name, const char *value) {
    json_line_bytes(line, name, value, strlen(value));
}

void json_line_integer(struct json_line *line, const char *name, int64_t value) {
    write_name(line, name);
    fprintf(line->out, "%" PRId64, value);
}

void json_line_flag(struct json_line *line, const char *name, bool value) {
    write_name(line, name);
    fputs(value ? "true" : "false", line->out);
}

/* Line ends and tabs stand between the tokens of a JSON text only, where a space will do. */
void json_line_json(struct json_line *line, const char *name, const char *json) {
    write_name(line, name);
    for (size_t left = strlen(json); left > 0;) {
        uint32_t character;
        size_t taken = text_decode(json, left, &character);
        if (character < 0x20)
            fputc(' ', line->out);
        else
            write_character_as_it_is(line->out, character, json, taken);
        json += taken;
        left -= taken;
    }
}

void json_line_open(struct json_line *line, const char *name, const char *bracket) {
    write_name(line, name);
    fputs(bracket, line->out);
    line->separator = "";
}

void json_line_close(struct json_line *line, const char *bracket) {
    fputs(bracket, line->out);
    line->separator = ",";
}

void json_line_open_element(struct json_line *line, const char *bracket) {
    fputs(line->separator, line->out);
    fputs(bracket, line->out);
    line->separator = "";
}

void json_line_element(struct json_line *line, const char *value) {
    fputs(line->separator, line->out);
    line->separator = ",";
    write_quoted(line->out, value, strlen(value));
}
