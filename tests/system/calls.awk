# Prints "FILE:LINE NAME" for each function that is called by name in C: what stands in comments,
# strings and characters is left out, and so is a member (a->free()).
FNR == 1 { in_comment = 0 }
{
    line = $0
    code = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            line = end ? substr(line, end + 2) : ""
            in_comment = !end
        } else if (match(line, /^\/\*/)) {
            in_comment = 1
            line = substr(line, 3)
        } else if (match(line, /^\/\//)) {
            line = ""
        } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)*'/)) {
            code = code "\"\""
            line = substr(line, RLENGTH + 1)
        } else {
            code = code substr(line, 1, 1)
            line = substr(line, 2)
        }
    }
    while (match(code, /[A-Za-z_][A-Za-z0-9_]* *\(/)) {
        before = substr(code, 1, RSTART - 1)
        name = substr(code, RSTART, RLENGTH - 1)
        sub(/ +$/, "", name)
        if (before !~ /(\.|->)$/)
            print FILENAME ":" FNR, name
        code = substr(code, RSTART + RLENGTH)
    }
}
