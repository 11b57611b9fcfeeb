#include "support/hostile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const hostile hostile_texts[] = {
    /* what JSON must escape or cannot hold */
    {"quotes", "say \"hi\" and 'ho' \\ \\\\ \\n \\u0041", true},
    {"newlines", "one\ntwo\r\nthree\rfour\n\n\nfive", false},
    {"tabs", "a\tb\t\tc", false},
    {"control bytes", "a\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x1b[31mb\x1f", false},
    {"DEL and C1", "a\x7f\xc2\x80\xc2\x85\xc2\x9bz", false},
    {"line separators", "a\xe2\x80\xa8# b\xe2\x80\xa9> c", false},
    /* bytes that are no UTF-8 */
    {"lone continuation", "a\x80z", false},
    {"bytes that never occur", "a\xfe\xff\xc0\xc1\xf5z", false},
    {"overlong NUL", "a\xc0\x80z", false},
    {"overlong slash", "a\xe0\x80\xaf\xf0\x80\x80\xafz", false},
    {"surrogates", "a\xed\xa0\x80\xed\xb0\x80z", false},
    {"above U+10FFFF", "a\xf4\x90\x80\x80\xf8\x88\x80\x80\x80z", false},
    {"cut-off sequences", "\xe2\x82 \xf0\x9f\x98 \xc3", false},
    {"cut-off before markup", "\xe2\x82<!channel>\xf0\x9f*b*\xc3`c`", false},
    {"noncharacters", "a\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90z", false},
    /* what hides or reorders */
    {"bidirectional", "a\u202egnp.exe\u202c\u2066b\u2069", false},
    {"zero width", "ev\u200bil\u2060 \ufeff*b\u200bo\u200bld*", false},
    {"joiner before markup", "\u200d*a*\u200c_b_\ufe0f`c`", false},
    /* graphemes */
    {"emoji", "😀🎉 👍🏽 ❤️ 1️⃣", true},
    {"families and flags", "👨‍👩‍👧‍👦🇩🇪🇨🇳🏴󠁧󠁢󠁥󠁮󠁧󠁿",
     true},
    {"combining", "e\u0301o\u0308\u0323 \u0301a नमस्ते ห้อง 한글", true},
    /* markup */
    {"mrkdwn", "*bold* _it_ ~gone~ `code` a*b*c", true},
    {"markdown", "**bold** __under__ ~~gone~~ ||spoiler|| ***all***", true},
    {"marks alone", "* _ ~ ` | # > - + = ! . : ; $ %", true},
    {"marks in a row", "*_~`*_~`**__~~``***___~~~```", true},
    {"heading", "# heading", true},
    {"deep heading", "###### #not so deep", true},
    {"quote", "> quote", true},
    {"deep quote", ">>> quote", true},
    {"small print", "-# small", true},
    {"dash", "- item", true},
    {"plus", "+ item", true},
    {"star", "* item", true},
    {"ordered", "1. item 2. item", true},
    {"rule", "---", true},
    {"lines of markup", "a\n# h\n> q\n- l\n* l\n1. o\n---\nb\n===\n|t|\n|-|", false},
    {"indented markup", "a\n   # h\n  > q\n    code\n\t- l", false},
    {"fence", "```\ncode\n```", false},
    {"fence in a line", "```sh rm``` ~~~x~~~", true},
    {"link", "[click](https://evil.example/) [r][1] <https://evil.example>", true},
    {"picture", "![](https://evil.example/a.png) ![x](x)", true},
    {"brackets", "](https://evil.example) [a]( [ ] ( ) )]([", true},
    {"escaped by the user", "\\*a\\* \\[b\\]\\(c\\) \\`d\\` \\\\*e*", true},
    {"Slack link", "<https://evil.example|View> <mailto:a@b.c|x>", true},
    {"Slack mentions", "<!channel> <!here> <!everyone> <@U0123ABCD> <#C01>", true},
    {"Slack commands", "<!subteam^S012> <!date^1^{date}^https://evil.example|x>", true},
    {"emoji names", ":smile: :+1: :100: x:tada:y ::a:: :-1:", true},
    {"times", "at 12:30:45, 1:2:3 https://example.com:8080/a:b", true},
    {"Discord mentions", "@everyone @here <@1> <@!1> <@&1> <#1>", true},
    {"Discord tokens", "<:a:1> <a:b:2> <t:1:R> </cmd:1> <id:customize>", true},
    {"Teams functions", "{{DATE(2026-01-02T03:04:05Z,SHORT)}} {{{ }}} {{TIME(x)}}", true},
    {"Teams mention", "<at>Cho Eun</at> <AT>x</AT>", true},
    {"Feishu mentions", "<at id=all></at> <at user_id=\"all\">x</at>", true},
    {"WeCom mentions", "<@all> <@userid> @all", true},
    {"DingTalk mentions", "@all @所有人 @13800000000 @user1", true},
    {"fonts", "</font><font color=\"warning\">x</font><font color='red'>y", true},
    {"HTML", "<b>x</b><br/><script>alert(1)</script><!-- y --><?z", true},
    {"entities", "&lt;b&gt; &amp; &amp;amp; &#42;x&#42; &sim; &nbsp; &", true},
    {"forged labels", "x **Status**: DONE *By* mallory", true},
    {"forged facts", "x\n- **Status**: DONE\n> By: mallory\n**By**\nmallory", false},
    {"table", "| a | b |\n|---|---|\n| c | d |", false},
    {"setext", "a\n===\nb\n---", false},
    {"fullwidth", "＊a＊ ＿b＿ ｀c｀ ＃d", true},
    {"fullwidth quote", "＞ ＜a＞ ［b］（c）", true},
    {"patterns", "%s %n %d {a} {b} $1 ${x} {0}", true},
    {"ellipsis", "… ... ……", true},
};
const size_t hostile_text_count = sizeof(hostile_texts) / sizeof(hostile_texts[0]);

const hostile hostile_blanks[] = {
    {"empty", "", false},
    {"blanks", "     ", false},
    {"newlines", "\n\r\n\n\t\n", false},
    {"control bytes", "\x01\x02\x1f", false},
    {"zero width", "\u200b\u2060\ufeff", false},
    {"bidirectional", "\u202e\u202c", false},
    {"joiners", "\u200d\u200c", false},
    {"marks of direction", "\u200e\u200f", false},
    {"no-break blanks", "\u00a0\u2007\u202f\u3000", false},
    {"fillers", "\u3164\u115f\u1160\uffa0", false},
    {"Braille blank", "\u2800", false},
    {"variation selectors", "\ufe0f\ufe0e", false},
    {"soft hyphen", "\u00ad", false},
    {"tags", "\U000e0020\U000e007f", false},
};
const size_t hostile_blank_count = sizeof(hostile_blanks) / sizeof(hostile_blanks[0]);

const hostile hostile_clusters[] = {
    {"a family", "👨‍👩‍👧‍👦", true},
    {"a flag", "🇩🇪", true},
    {"a flag of tags", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", true},
    {"a skin tone", "👍🏽", true},
    {"a keycap", "1️⃣", true},
    {"marks on a letter", "e\u0301\u0323\u0308", true},
    {"a conjoining syllable", "\u1112\u1161\u11ab", true},
    {"an emoji", "🔷", true},
    {"a Han character", "世", true},
};
const size_t hostile_cluster_count = sizeof(hostile_clusters) / sizeof(hostile_clusters[0]);

/* ---- long ones */

static const hostile units[HOSTILE_LONG] = {
    {"1 MiB of a", "a", false},
    {"1 MiB of &<>*", "&<>*", false},
    {"1 MiB of quotes and backslashes", "\"\\", false},
    {"1 MiB of _*`~[](){}", "_*`~[](){{}}", false},
    {"1 MiB of Han", "世界", false},
    {"1 MiB of families", "👨‍👩‍👧‍👦", false},
    {"1 MiB of marks on one letter", "\u0301", false},
    {"1 MiB of bad bytes", "\xff", false},
    {"1 MiB of NEL and blanks", " \xc2\x85", false},
    {"1 MiB of lines", "# a\n> b\n- c\n1. d\n\n", false},
    {"1 MiB of newlines and stars", "\n*", false},
    {"1 MiB of colons and fences", ":a:```", false},
};

static hostile made[HOSTILE_LONG];

char *hostile_repeat(const char *unit, size_t size) {
    size_t length = strlen(unit), count = size / length;
    char *text = malloc(count * length + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, unit, length);
    text[count * length] = '\0';
    return text;
}

const hostile *hostile_long(size_t index) {
    if (!made[index].text) {
        made[index] = units[index];
        made[index].text = hostile_repeat(units[index].text, HOSTILE_MEGABYTE);
    }
    return &made[index];
}

void hostile_free(void) {
    for (size_t i = 0; i < HOSTILE_LONG; i++) {
        free((char *)made[i].text);
        made[i].text = NULL;
    }
}
