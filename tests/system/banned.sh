#!/bin/sh
# Functions that the library and its examples do not call, each with the reason, and the few places
# that may. A list without a use for one of its exceptions fails too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where (all: src/ and examples/), what, and why not.
banned() {
    cat <<'END'
all strcpy,strcat,stpcpy,strncpy,strncat knows no size, or leaves out the NUL: memcpy of what was measured, or snprintf
all sprintf,vsprintf,gets,scanf,fscanf,sscanf knows no size: snprintf, or a reader that does
all strtok,atoi,atol,atoll,atof keeps a state, or takes a mistake for 0: strcspn, strtoll with its end
all rand,srand,random,srandom,drand48,rand_r can be guessed: the system's random numbers
all system,popen goes through a shell: posix_spawn
all alloca has no failure, only an overflow: the arena
all localtime,gmtime,ctime,asctime answers in one place for all threads: gmtime_r
all mktemp,tmpnam,tempnam names a file that somebody else may make first: mkstemp
all setjmp,longjmp leaps over what is to be freed
all cJSON_InitHooks is for the whole process, which is the host's
src malloc,calloc,realloc,free,strdup,strndup,asprintf,getline passes by the host's allocator: base/mem
src getenv,secure_getenv,setenv,putenv reads what the host did not say, while another thread may write it
src setlocale is the whole process's
src tolower,toupper,isalpha,isdigit,isalnum,isspace,isupper,islower,isprint,ispunct,isxdigit,strcasecmp,strncasecmp,strcoll,strtod,strtof obeys the host's locale: base/text
src strerror answers in one place for all threads: strerror_r
src signal,sigaction,raise,kill signals are the host's
src exit,_exit,_Exit,quick_exit,abort,atexit ends the host, or hooks into its end: return an error
src system,fork,vfork,execv,execve,execvp,posix_spawn,posix_spawnp,waitpid processes are the host's
src printf,fprintf,puts,fputs,putchar,perror,syslog speaks to the host's terminal or log: its log callback
src sleep,usleep,nanosleep,select holds up the caller, or is lost above descriptor 1023: poll with a limit
src time,gettimeofday,clock_gettime reads a clock that is not the host's: driver/clock
src getaddrinfo,gethostbyname waits for as long as the name server does: driver/resolver
src chdir,umask,setrlimit,signalfd,sigprocmask is the whole process's
src pthread_cancel,pthread_kill ends a thread that may hold a lock
src curl_easy_perform waits, and sends again by itself: driver/http
src OPENSSL_cleanup,sqlite3_shutdown,PQinitSSL takes from the host what it may use itself
END
}

# Who may all the same.
excepted() {
    cat <<'END'
base/mem.c malloc is what stands behind the host's allocator where there is none
base/mem.c realloc as above
base/mem.c free as above
driver/clock.c clock_gettime is the clock
driver/process.c getenv proxies, where the host asks for its environment's, while it makes a dispatcher
driver/store_postgres_db.c clock_gettime how long the server takes, without the host's clock; drivers do not include each other
driver/store_sqlite_put.c clock_gettime how long the disk takes, without the host's clock; drivers do not include each other
driver/http_guard.c clock_gettime the age of what was read is no matter of the host's clock; drivers do not include each other
driver/http_trust.c time the age of a file that was read is no matter of the host's clock
driver/http_transfer.c stpcpy into a block that was measured just before: snprintf would measure thrice
api/context.c stpcpy two texts of known length into a larger array, at each event
driver/store_postgres_db.c strdup memory that libpq frees
driver/store_postgres_db.c free memory that libpq made
END
}

# check FOLDER SCOPE [EXCEPTIONS]: prints each call in the folder that is banned there.
check() {
    (cd "$1" && find . -name '*.[ch]' -exec awk -f "$here/calls.awk" {} + | sed 's,^\./,,') >"$work/calls"
    banned | awk -v scope="$2" -v exceptions="${3:-/dev/null}" -v used="$work/used" '
        BEGIN { while ((getline line <exceptions) > 0) { split(line, e, " "); allowed[e[1] " " e[2]] = 1 } }
        FNR == NR {
            if ($1 == "all" || $1 == scope) {
                count = split($2, names, ",")
                sub(/^[^ ]+ [^ ]+ /, "")
                for (i = 1; i <= count; i++)
                    why[names[i]] = $0
            }
            next
        }
        $2 in why {
            file = $1
            sub(/:.*/, "", file)
            if ((file " " $2) in allowed)
                print file, $2 >used
            else
                print $1 ": " $2 " " why[$2]
        }' - "$work/calls"
}

# The checker itself.
mkdir "$work/planted"
cat >"$work/planted/planted.c" <<'END'
/* strcpy(a, b) is only mentioned /* here, */ int a(void) { return strcpy (b, "it's"); }
/* and gets(
   gets( */
int b(const char *s) { s->free(s); x.signal(1); say("atoi(\"1\")", '"'); return my_atoi(s); } // atof(s)
int c(void) { return '\'' + time(NULL) + getenv("system(1)"); }
END
check "$work/planted" src | sed 's/\(: [a-z]*\) .*/\1/' >"$work/said"
diff -u - "$work/said" <<'END'
planted.c:1: strcpy
planted.c:5: time
planted.c:5: getenv
END
check "$work/planted" examples | sed 's/\(: [a-z]*\) .*/\1/' >"$work/said"
diff -u - "$work/said" <<'END'
planted.c:1: strcpy
END

cd "$here/../.."
excepted >"$work/excepted"
: >"$work/used"
{
    check src src "$work/excepted"
    check examples examples
} >"$work/found"
[ ! -s "$work/found" ] || { cat "$work/found"; exit 1; }

cut -d ' ' -f 1,2 "$work/excepted" | sort >"$work/wanted"
sort -u "$work/used" | diff -u "$work/wanted" - || { echo "An exception is not used"; exit 1; }
echo "$(banned | cut -d ' ' -f 2 | tr ',' '\n' | sort -u | wc -l) functions are banned and not called," \
    "but for $(wc -l <"$work/excepted") exceptions"
