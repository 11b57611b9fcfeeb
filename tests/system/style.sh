#!/bin/sh
# The limits of the house: files of at most 500 lines, functions of at most 80; in src/
# also nine of ten functions of at most 40, half of at most 12. Prints the figures.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The measuring itself: three functions among what only looks like one.
cat >"$work/sample.c" <<'END'
static const int table[] = {
    1,
};
struct pair {
    int (*compare)(int a, int b);
};
int bb_short(void) {
    return table[0];
}

typedef enum { A, B } letter;
static const char *bb_long_signature(const char *first,
                                     const char *second) {
    if (first) {
        return second;
    }
    return first;
}
#define F(x) do { \
    } while (0)
struct pair *bb_last(struct pair *p) {
    return p;
}
END
(cd "$work" && awk -f "$here/functions.awk" sample.c) >"$work/measured"
diff -u - "$work/measured" <<'END'
3 sample.c:7 bb_short
7 sample.c:12 bb_long_signature
3 sample.c:21 bb_last
END

cd "$here/../.."
failed=0

# limit WHAT LENGTHS MOST: the last and so longest of the lengths is at most that.
limit() {
    if [ "$(awk 'END { print $1 }' "$2")" -gt "$3" ]; then
        echo "$1: longer than $3 lines"
        failed=1
    fi
}

# measure FOLDER: leaves the sorted lengths in $work and prints the figures.
measure() {
    find "$1" -name '*.[ch]' -exec awk -f "$here/functions.awk" {} + | sort -n >"$work/functions"
    find "$1" -name '*.[ch]' -exec wc -l {} + | grep -v ' total$' | sort -n >"$work/files"
    total=$(wc -l <"$work/functions")
    median=$(sed -n "$(((total + 1) / 2))s/ .*//p" "$work/functions")
    at_most_40=$(awk '$1 <= 40' "$work/functions" | wc -l)
    echo "$1: $total functions, median $median lines, $((at_most_40 * 100 / total)) % of at most 40"
    echo "  longest function: $(tail -n 1 "$work/functions")"
    echo "  longest file: $(tail -n 1 "$work/files" | sed 's/^ *//')"
    limit "a function of $1" "$work/functions" 80
    limit "a file of $1" "$work/files" 500
}

measure examples
measure tests
measure src
[ "$median" -le 12 ]
[ $((at_most_40 * 10)) -ge $((total * 9)) ]
[ "$failed" -eq 0 ]
