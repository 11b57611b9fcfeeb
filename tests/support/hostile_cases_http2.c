/* Over HTTP/2: frames as they go out (RFC 9113), their headers packed by hand (RFC 7541). The
 * request is stream 1 of its connection. */
#include "support/hostile_cases.h"

#define IS_LOST_BY(words) .verdict = BB_UNKNOWN, .requests = 1, .says = (words)
#define IS_LOST(words) IS_LOST_BY("sent, but the answer was lost: " words)
#define ANSWERED(what, status, words)                                                              \
    .verdict = (what), .http_status = (status), .requests = 1, .says = (words)
#define IS_REFUSED                                                                                 \
    .verdict = BB_RETRY, .requests = 1, .says = "it refused the request unread: HTTP/2"

#define BYTES(frames) .raw = (frames), .raw_length = sizeof(frames) - 1
#define AGAIN(frames) .repeat = (frames), .repeat_length = sizeof(frames) - 1
#define GREETED_BY(frames) .greeting = (frames), .greeting_length = sizeof(frames) - 1

#define X100                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define NO_WINDOW "\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0"  /* INITIAL_WINDOW_SIZE 0 */
#define NO_STREAMS "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\0" /* MAX_CONCURRENT_STREAMS 0 */
#define PING "\0\0\10\6\0\0\0\0\0whatever"
#define GOAWAY(last, code) "\0\0\10\7\0\0\0\0\0\0\0\0" last "\0\0\0" code
#define RST_STREAM(code) "\0\0\4\3\0\0\0\0\1\0\0\0" code
#define STATUS_200 "\0\0\1\1\4\0\0\0\1\x88"
#define STATUS_503                                                                                 \
    "\0\0\5\1\5\0\0\0\1\x08\x03"                                                                   \
    "503" /* ends the stream */
#define STATUS_103                                                                                 \
    "\0\0\5\1\4\0\0\0\1\x08\x03"                                                                   \
    "103"
#define YES "\0\0\12\0\1\0\0\0\1{\"code\":0}"
#define HALF_YES "\0\0\5\0\0\0\0\0\1{\"cod"

const hostile_case hostile_http2[] = {
    {.name = "HTTP/2: a whole answer",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200 YES)},
     ANSWERED(BB_DELIVERED, 200, "HTTP 200")},
    {.name = "HTTP/2: an answer of 3,000 bytes",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200 "\0\x0b\xc9\0\1\0\0\0\1{\"code\":0,\"x\":\"" X1000 X1000 X1000
                               "\"}")},
     ANSWERED(BB_DELIVERED, 200, "HTTP 200")},
    {.name = "HTTP/2: silence",
     .place = HOSTILE_HTTP2,
     .step = {.end = SERVER_SILENT},
     .lasts = 1,
     IS_LOST("Operation timed out")},

    /* ---- it goes, or refuses */
    {.name = "HTTP/2: GOAWAY that leaves the request out",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(GOAWAY("\0", "\0")), .end = SERVER_SILENT},
     IS_LOST("")},

    {.name = "HTTP/2: GOAWAY after the request, and the end",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(GOAWAY("\1", "\0")), .end = SERVER_CLOSE},
     IS_LOST("")},
    {.name = "HTTP/2: GOAWAY with an error, and the end",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(GOAWAY("\1", "\2")), .end = SERVER_CLOSE},
     IS_LOST("")},
    {.name = "HTTP/2: REFUSED_STREAM",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(RST_STREAM("\7")), .end = SERVER_SILENT},
     IS_REFUSED},
    {.name = "HTTP/2: RST_STREAM CANCEL",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(RST_STREAM("\10")), .end = SERVER_SILENT},
     IS_LOST("")},
    {.name = "HTTP/2: RST_STREAM INTERNAL_ERROR",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(RST_STREAM("\2")), .end = SERVER_SILENT},
     IS_LOST("")},
    {.name = "HTTP/2: RST_STREAM NO_ERROR",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(RST_STREAM("\0")), .end = SERVER_SILENT},
     IS_LOST("")},
    {.name = "HTTP/2: RST_STREAM HTTP_1_1_REQUIRED",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(RST_STREAM("\15")), .end = SERVER_SILENT},
     IS_REFUSED},
    {.name = "HTTP/2: RST_STREAM in mid body",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200 HALF_YES RST_STREAM("\2")), .end = SERVER_SILENT},
     IS_LOST("")},
    {.name = "HTTP/2: REFUSED_STREAM in mid body",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200 HALF_YES RST_STREAM("\7")), .end = SERVER_SILENT},
     IS_REFUSED},
    {.name = "HTTP/2: closed in mid body",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200 HALF_YES), .end = SERVER_CLOSE},
     IS_LOST("")},
    {.name = "HTTP/2: reset after the request",
     .place = HOSTILE_HTTP2,
     .step = {.end = SERVER_RESET},
     IS_LOST("")},

    /* ---- it does not take the request */
    {.name = "HTTP/2: a zero window",
     .place = HOSTILE_HTTP2,
     GREETED_BY(NO_WINDOW),
     .big = 1,
     .step = {.moment = SERVER_AFTER_HEADERS, .end = SERVER_SILENT},
     .lasts = 1,
     IS_LOST("Operation timed out")},
    {.name = "HTTP/2: an answer before the body",
     .place = HOSTILE_HTTP2,
     GREETED_BY(NO_WINDOW),
     .big = 1,
     .step = {BYTES(STATUS_503), .moment = SERVER_AFTER_HEADERS, .end = SERVER_SILENT},
     .lasts = 1,
     IS_LOST("Operation timed out")},

    /* ---- floods */
    {.name = "HTTP/2: SETTINGS without end",
     .place = HOSTILE_HTTP2,
     .step = {AGAIN(SETTINGS)},
     IS_LOST("")},
    {.name = "HTTP/2: PING without end",
     .place = HOSTILE_HTTP2,
     .step = {AGAIN(PING)},
     IS_LOST("the connection was cut, for it brought frames without end")},
    {.name = "HTTP/2: empty DATA without end",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200), AGAIN("\0\0\0\0\0\0\0\0\1")},
     IS_LOST("the connection was cut, for it brought frames without end")},
    {.name = "HTTP/2: a body without end",
     .place = HOSTILE_HTTP2,
     .step = {BYTES(STATUS_200), AGAIN("\0\0\144\0\0\0\0\0\1" X100)},
     ANSWERED(BB_DEAD, 200, "HTTP 200")},
    {.name = "HTTP/2: 1xx without end",
     .place = HOSTILE_HTTP2,
     .step = {AGAIN(STATUS_103)},
     IS_LOST_BY("headers")},
    {.name = "HTTP/2: header lines without end",
     .place = HOSTILE_HTTP2,
     .step = {BYTES("\0\0\1\1\0\0\0\0\1\x88"), AGAIN("\0\0\15\11\0\0\0\0\1\0\1x\11and more ")},
     IS_LOST("")},
    {.name = "HTTP/2: a bomb of headers",
     .place = HOSTILE_HTTP2,
     .step = {BYTES("\0\x3e\x89\1\4\0\0\0\1\x88\x40\x03x-b\x7f\xe9\x06" X1000), .repeat = "\xbe",
              .repeat_bytes = 15000, .end = SERVER_SILENT},
     IS_LOST_BY("headers")},
    {.name = "HTTP/2: frames of garbage",
     .place = HOSTILE_HTTP2,
     .step = {AGAIN("\0\1\0\x2a\xff\xff\xff\xff\xffgarbage")},
     IS_LOST("")},
    {.name = "HTTP/2: HTTP/1.1 all the same",
     .place = HOSTILE_HTTP2,
     .step = {.raw = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"code\":0}",
              .end = SERVER_SILENT},
     IS_LOST("")},
    {.name = "HTTP/2: a push that nobody asked for",
     .place = HOSTILE_HTTP2,
     .step = {BYTES("\0\0\5\5\4\0\0\0\1\0\0\0\2\x82" STATUS_200 YES), .end = SERVER_SILENT},
     ANSWERED(BB_DELIVERED, 200, "HTTP 200")},
    {.name = "HTTP/2: no stream may be opened",
     .place = HOSTILE_HTTP2,
     GREETED_BY(NO_STREAMS),
     .step = {.end = SERVER_SILENT},
     .lasts = 1,
     IS_LOST("Operation timed out")},
};
const size_t hostile_http2_count = sizeof hostile_http2 / sizeof *hostile_http2;
