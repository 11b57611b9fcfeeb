/* The demo's page shows what the rooms would see: each dialect of markup becomes the
 * HTML of what its clients show, and nothing that was sent becomes HTML by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bb-notify/page.h"
#include "bb-notify/page_markup.h"

#define ZWSP "\u200b"
#define AT(name) "<span class=\"at\">@" name "</span>"
#define LINE(html) "<div>" html "</div>"

static const bb_mention ann = {.struct_size = sizeof ann,
                               .name = "Ann <i>",
                               .slack = "U1",
                               .discord = "801",
                               .phone = "+86 13800000001",
                               .feishu = "ou_1",
                               .wecom = "AnnLee"};
static const bb_mention *const mentions[] = {&ann};
static const bb_event event = {.struct_size = sizeof event,
                               .activity = BB_ISSUE_COMMENT_CREATE,
                               .mentions = mentions,
                               .mention_count = 1};

static const struct {
    const struct dialect *dialect;
    const char *text;
    const char *html;
} cases[] = {
    {&slack_dialect, "*<https://a.b/?x=1&amp;y|a &lt; b>*",
     LINE("<b><a href=\"https://a.b/?x=1&amp;y\">a &lt; b</a></b>")},
    {&slack_dialect, "<@U1> <@U2> <!channel>",
     LINE(AT("Ann &lt;i&gt;") " " AT("U2") " " AT("channel"))},
    {&slack_dialect, "&lt;!channel&gt; &lt;@U1&gt; &#60;",
     LINE("&lt;!channel&gt; &lt;@U1&gt; &amp;#60;")},
    {&slack_dialect, ZWSP "*" ZWSP "a" ZWSP "*" ZWSP, LINE(ZWSP "*" ZWSP "a" ZWSP "*" ZWSP)},
    {&slack_dialect, "2 * 3 * 4 a_b_c _i_ ~s~ `<c>*x*`",
     LINE("2 * 3 * 4 a_b_c <i>i</i> <s>s</s> <code>&lt;c&gt;*x*</code>")},
    {&slack_dialect, "&gt;q\n\n" ZWSP "&gt;p",
     "<blockquote>" LINE("q") "</blockquote><div class=\"gap\"></div>" LINE(ZWSP "&gt;p")},
    {&slack_dialect, "<!date^1773313797^{date} {time}|x>", LINE("2026-03-12 at 11:09 AM")},
    {&slack_dialect, "```\n*a*<b>\n```", "<pre>\n*a*&lt;b&gt;\n</pre>"},
    {&slack_dialect, "<javascript:alert(1)|x>", LINE("<a>x</a>")},
    {&discord_dialect, "**b** *i* __u__ ~~s~~ ||h||",
     LINE("<b>b</b> <i>i</i> <u>u</u> <s>s</s> <mark>h</mark>")},
    {&discord_dialect, "\\*\\*b\\*\\* \\<\\@801\\> a\\_b \\\\", LINE("**b** &lt;@801&gt; a_b \\")},
    {&discord_dialect, "<@801> @everyone &lt;", LINE(AT("Ann &lt;i&gt;") " @everyone &amp;lt;")},
    {&discord_dialect, "[a\\]b](https://a.b) \\[c](https://d.e)",
     LINE("<a href=\"https://a.b\">a]b</a> [c](https://d.e)")},
    {&discord_dialect, "# h\n\\# p\n- l",
     "<div class=\"h1\">h</div>" LINE("# p") "<div class=\"list\">" LINE("• l") "</div>"},
    {&teams_dialect, "a\nb\n\nc\n- d",
     LINE("a\nb") LINE("c") "<div class=\"list\">" LINE("• d") "</div>"},
    {&teams_dialect, "**b** \\*\\*c\\*\\* <at>Ann</at> <" ZWSP "at>x</at>",
     LINE("<b>b</b> **c** <span class=\"at\">Ann</span> &lt;" ZWSP "at&gt;x&lt;/at&gt;")},
    {&dingtalk_dialect, "### t &lt;x&gt;\n> q  \n>   \n> r\n\n**b** \\#c",
     "<div class=\"h3\">t &lt;x&gt;</div><blockquote>" LINE(
         "q  ") "<div class=\"gap\">  </div>" LINE("r") "</blockquote>" LINE("<b>b</b> #c")},
    {&dingtalk_dialect, "a  \nb\nc @13800000001 @13800000002",
     LINE("a  ") LINE("b\nc " AT("Ann &lt;i&gt;") " @13800000002")},
    {&feishu_dialect, "**k**\n&#60;at id=all&#62; &#42;x&#42; &sim; &#x1f680; &#0;",
     LINE("<b>k</b>") LINE("&lt;at id=all&gt; *x* ~ 🚀 &amp;#0;")},
    {&feishu_dialect, "<at id=ou_1></at><font color='red'>r</font>",
     LINE(AT("Ann &lt;i&gt;") "<span class=\"font-red\">r</span>")},
    {&wecom_dialect, "### <font color=\"warning\">w</font>\n>q <@AnnLee>",
     "<div class=\"h3\"><span class=\"font-warning\">w</span></div>"
     "<blockquote>" LINE("q " AT("Ann &lt;i&gt;")) "</blockquote>"},
    {&wecom_dialect, "<font color=\"#ff0000\">x</font> ＜@AnnLee＞ ［a］(b) &lt;",
     LINE("<span class=\"font-default\">x</span> ＜@AnnLee＞ ［a］(b) &amp;lt;")},
    {&wecom_dialect, "[o](https://a.b/\"x)", LINE("<a href=\"https://a.b/&quot;x\">o</a>")},
    {&wecom_dialect, "<script>1</script>", LINE("&lt;script&gt;1&lt;/script&gt;")},
};

static void each_dialect_is_shown_as_its_clients_show_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *html = NULL;
        size_t size = 0;
        struct markup markup = {open_memstream(&html, &size), cases[i].dialect, &event};
        markup_write(&markup, cases[i].text);
        fclose(markup.out);
        assert_string_equal(html, cases[i].html);
        free(html);
    }
}

/* The page of one event whose seven messages are all `body`. */
static char *page_of(const char *body) {
    static const struct receiver_header headers[] = {{"User-Agent", "</div><script>"}};
    struct receiver_exchange exchange = {
        .time_ms = 1773313797000,
        .request = {"POST", "/hooks/bb?<script>", headers, 1, body, strlen(body)},
        .answer = {.status = 200, .body = "<script>"}};
    struct page_section section = {.event = &event, .time_ms = 1773313797000};
    char *html = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&html, &size);
    for (bb_type type = BB_SLACK; type <= BB_CUSTOM; type++)
        section.messages[type] = &exchange;
    page_write(out, &section, 1);
    fclose(out);
    return html;
}

static void no_text_of_a_message_becomes_html(void **state) {
#define BAD "\"<script>'\\\"&\""
    char *html = page_of(
        "{\"text\":" BAD ",\"level\":" BAD ",\"title\":" BAD ",\"content\":" BAD
        ",\"markdown\":{\"text\":" BAD ",\"content\":" BAD "}"
        ",\"embeds\":[{\"title\":" BAD ",\"url\":" BAD ",\"description\":" BAD
        ",\"timestamp\":\"<script><script><script>\",\"fields\":[{\"name\":" BAD ",\"value\":" BAD
        "}],\"footer\":{\"text\":" BAD "}}]"
        ",\"card\":{\"header\":{\"template\":" BAD ",\"title\":{\"content\":" BAD
        "}},\"elements\":["
        "{\"tag\":\"div\",\"text\":{\"tag\":\"plain_text\",\"content\":" BAD "}},"
        "{\"tag\":\"action\",\"actions\":[{\"type\":" BAD ",\"text\":{\"tag\":\"plain_text\","
        "\"content\":" BAD "}}]}]}"
        ",\"attachments\":[{\"color\":" BAD
        ",\"blocks\":[{\"type\":\"section\",\"text\":{\"text\":" BAD
        "}}],\"content\":{\"body\":[{\"type\":\"TextBlock\",\"size\":" BAD ",\"text\":" BAD "},"
        "{\"type\":\"Container\",\"style\":" BAD
        "},{\"type\":\"FactSet\",\"facts\":[{\"title\":" BAD ",\"value\":" BAD
        "}]}],\"actions\":[{\"title\":" BAD "}]}}],\"<script>\":[" BAD ",1]}");
    (void)state;
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;"));
    free(html);
}

static void a_message_of_another_shape_is_shown_all_the_same(void **state) {
    static const char *const bodies[] = {
        "{}",
        "[]",
        "1",
        "not JSON",
        "{\"attachments\":[{\"blocks\":[{}],\"content\":{\"body\":[{}]}}]}",
        "{\"embeds\":[{}],\"card\":{\"elements\":[{},{\"tag\":\"action\"},{\"tag\":\"note\"}]}}",
        "{\"embeds\":1,\"attachments\":\"x\",\"card\":[],\"markdown\":null}"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char *html = page_of(bodies[i]);
        assert_non_null(strstr(html, "</html>"));
        free(html);
    }
}

static void the_page_loads_nothing(void **state) {
    static const char *const loading[] = {"src=", "url(", "@import", "<link", "<script", "<img"};
    char *html = page_of("{\"text\":\"t\"}");
    (void)state;
    for (size_t i = 0; i < sizeof loading / sizeof *loading; i++)
        assert_null(strstr(html, loading[i]));
    free(html);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dialect_is_shown_as_its_clients_show_it),
        cmocka_unit_test(no_text_of_a_message_becomes_html),
        cmocka_unit_test(a_message_of_another_shape_is_shown_all_the_same),
        cmocka_unit_test(the_page_loads_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
