# Prints "LENGTH FILE:LINE NAME" for each function of the C files given, from the line
# its signature starts on to its closing brace. Relies on the house format: what starts
# in the first column is a declaration, and only a function's end is a lone brace there.

FNR == 1 {
    start = 0
    signature = ""
}

inside && /^}/ {
    print FNR - start + 1, FILENAME ":" start, name
    inside = 0
    signature = ""
    next
}

inside { next }

/^[A-Za-z_]/ {
    start = FNR
    signature = ""
}

{ signature = signature $0 }

# A declaration, an initialiser or a type is no function.
/[;=]|^}/ && !/\{$/ { signature = "" }

/\{$/ {
    if (signature ~ /^[A-Za-z_][^={;]*\)[ \t]*\{$/) {
        name = signature
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        inside = 1
    }
    signature = ""
}
