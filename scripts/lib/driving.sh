# shellcheck shell=bash disable=SC2154
# A lab of one's own, driven by a script: asking its API, and a client that commits numbered rows. To be sourced, by
# scripts that set: project, cells (how many), kind (--docker or nothing), work (a folder), run (a name for the rows of this
# run), and call own_lab first; load, an empty array, where they use that.

readonly api_port=5480
readonly healthy_within=120 task_within=60 row_within=30

fail() {
  complain "$*"
  exit 1
}

misuse() {
  complain "$*"
  printf 'See: scripts/%s --help\n' "${0##*/}" >&2
  exit 2
}

# ---- the cells

# Where it lies and what it listens on: its folder if one is wanted, the beginning of its hosts, its network if of containers.
own_lab() {
  lab=${1:-$project/.${0##*/}${kind:+-docker}}
  export LAB_DIR=$lab LAB_HOST_PREFIX=$2 LAB_PROJECT=cellkeeper-${0##*/} LAB_NET=$3
}

host_of() { printf '%s%s\n' "$LAB_HOST_PREFIX" "${1#cell-}"; }

# One request; the body. The first cell that answers at all is asked.
api() {
  local path=$1 cell
  shift
  for ((cell = 1; cell <= cells; cell++)); do
    if curl --disable --config "$lab/curl.conf" --max-time 3 --connect-timeout 1 "$@" \
      "https://$(host_of "$cell"):$api_port/api/1.0.0/$path" 2>/dev/null; then
      return 0
    fi
  done
  return 1
}

# The string of that name which comes first in a JSON text.
text_of() {
  [[ $2 =~ \"$1\"\ ?:\ ?\"([^\"]*)\" ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

# "cell-N STATE" lines of GET /nodes.
states() {
  grep --only-matching --extended-regexp '"(name|state)" ?: ?"[^"]*"' <<<"$1" | tr --delete '" ' | {
    local key value name=''
    while IFS=: read -r key value; do
      case $key in
        name) name=$value ;;
        state) printf '%s %s\n' "$name" "$value" ;;
      esac
    done
  }
}

primary() {
  local cell
  for ((cell = 1; cell <= cells; cell++)); do
    if [[ $(curl --disable --config "$lab/curl.conf" --max-time 1 \
      "https://$(host_of "$cell"):$api_port/api/1.0.0/isPrimary" 2>/dev/null) == *'"isPrimary"'*true* ]]; then
      printf 'cell-%s\n' "$cell"
      return 0
    fi
  done
  return 1
}

# Waits until a command holds.
await() {
  local within=$1 what=$2
  local deadline=$((SECONDS + within))
  shift 2
  while ! "$@"; do
    ((SECONDS < deadline)) || fail "not within $within s: $what. $(api nodes || true)"
    sleep 0.05
  done
}

# HEALTHY, and nothing to say about it.
is_healthy() {
  local answer
  answer=$(api nodes)
  [[ $(text_of localClusterHealth "$answer") == HEALTHY && ${answer//[[:space:]]/} == *'"warnings":[]'* ]]
}

is_state() { [[ $'\n'$(states "$(api nodes)")$'\n' == *$'\n'"$1 $2"$'\n'* ]]; }

is_listed() { [[ $'\n'$(states "$(api nodes)") == *$'\n'"$1 "* ]]; }

has_primary() { primary >/dev/null; }

# Asks for something that becomes a task, and waits for its end.
task() {
  local path=$1 method=$2 headers id body deadline=$((SECONDS + task_within))
  headers=$(api "$path" --request "$method" --dump-header - --write-out '\n%{http_code}\n')
  [[ $headers == *$'\n202'* ]] || fail "$method $path was refused: $(tail --lines=2 <<<"$headers" | head --lines=1)"
  id=${headers#*/tasks/}
  id=${id%%[!0-9a-f-]*}
  while ((SECONDS < deadline)); do
    # Each question is a process and a TLS handshake: asked earlier or more often, they would slow down what is measured.
    sleep 0.7
    body=$(api "tasks/$id" || true)
    case $body in
      *'"SUCCESS"'*) return 0 ;;
      *'"ERROR"'*) fail "$method $path: $(text_of message "$body")" ;;
    esac
  done
  fail "$method $path has not ended: $body"
}

# ---- the client

now() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }

# Debian's psql is a Perl program that looks for the real one: several of them a second would be a load of their own.
psql_program() {
  local bin
  if bin=$(find_postgres) && [[ -x $bin/psql ]]; then
    printf '%s\n' "$bin/psql"
  else
    command -v psql
  fi
}

# A session with the primary, wherever it is.
client() {
  local cell hosts=
  for ((cell = 1; cell <= cells; cell++)); do
    hosts+="${hosts:+,}$(host_of "$cell")"
  done
  session "$hosts" read-write "$@"
}

# A session with the first of these hosts that is such; instead of this shell.
session() {
  local hosts=$1 attributes=$2
  shift 2
  PGPASSFILE=$lab/pgpass PGOPTIONS='' exec ${session_limit:+timeout --signal=KILL "$session_limit"} "$psql" --no-psqlrc \
    --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@" \
    "postgresql://vcloud@$hosts/vcloud?target_session_attrs=$attributes&connect_timeout=2&gssencmode=disable"
}

# Commits rows, and notes "microseconds number" of each that was acknowledged. A warning comes instead of the number:
# then it is none. Runs until the file "stop" is there.
write_rows() {
  local number=0 to from line idle patience
  trap '' PIPE
  exec {idle}<> <(:)
  while [[ ! -e $work/stop ]]; do
    coproc DB { client 2>&1; }
    to=${DB[1]:-} from=${DB[0]:-}
    # It may have to pass over cells that take a connection and say nothing: connect_timeout for each.
    patience=$((2 + 2 * cells))
    while [[ -n $to && -n $from && ! -e $work/stop ]]; do
      number=$((number + 1))
      printf "INSERT INTO written VALUES ('%s', %d) RETURNING n;\n" "$run" "$number" >&"$to" || break
      line=
      IFS= read -r -t "$patience" line 2>/dev/null <&"$from" || break
      patience=2
      [[ $line == "$number" ]] || break
      printf '%s %s\n' "$(now)" "$number" >>"$work/acknowledged"
      read -r -t 0.004 -u "$idle" || true
    done
    if [[ -n ${DB_PID:-} ]]; then
      kill -KILL "$DB_PID" 2>/dev/null || true
    fi
    wait 2>/dev/null || true
    read -r -t 0.01 -u "$idle" || true
  done
}

start_writer() {
  : >"$work/acknowledged"
  rm --force "$work/stop"
  write_rows 2>>"$work/writer.log" &
  writer=$!
  await "$row_within" 'the client writes' acknowledged_since 0
}

stop_writer() {
  [[ -n ${writer:-} ]] || return 0
  : >"$work/stop"
  wait "$writer" 2>/dev/null || true
  writer=
}

# ---- other clients, whose rows nobody counts: what hurts PostgreSQL, beside the rows that are counted

# A round of a writer's work: hot pages, bulk rows, a transaction of many subtransactions, TRUNCATE, VACUUM. Nobody waits for a
# standby here, and all of it may be lost.
load_statements() {
  cat <<'SQL'
SET synchronous_commit = off;
DO $$ BEGIN FOR i IN 1..60 LOOP UPDATE load_hot SET v = v + 1; COMMIT; END LOOP; END $$;
INSERT INTO load_bulk (what) SELECT repeat(md5(i::text), 8) FROM generate_series(1, 2000) i;
DO $$ BEGIN
  FOR i IN 1..100 LOOP
    BEGIN INSERT INTO load_bulk (what) VALUES ('part ' || i); EXCEPTION WHEN unique_violation THEN NULL; END;
  END LOOP;
  PERFORM pg_sleep(random());
END $$;
SQL
  case $((RANDOM % 6)) in
    0) printf 'TRUNCATE load_bulk;\n' ;;
    1) printf 'VACUUM load_hot;\n' ;;
    2) printf 'VACUUM load_bulk;\n' ;;
    3) printf "SELECT pg_logical_emit_message(true, 'load', repeat('x', 3000000)) IS NULL;\n" ;;
  esac
}

load_primary() {
  local session_limit=20
  while [[ ! -e $work/stop ]]; do
    (client >/dev/null < <(load_statements)) || sleep 0.3
    sleep 0.2
  done
}

# Reads at one standby after the other in a transaction that keeps its snapshot for some seconds.
load_standbys() {
  local session_limit=20
  while [[ ! -e $work/stop ]]; do
    (session "$(host_of $((1 + RANDOM % cells)))" standby >/dev/null <<SQL) || sleep 0.3
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sum(v) FROM load_hot;
SELECT pg_sleep($((RANDOM % 5)));
SELECT count(*) FROM load_hot;
COMMIT;
SQL
    sleep 0.2
  done
}

start_load() {
  (client --command='DROP TABLE IF EXISTS load_hot, load_bulk' \
    --command='CREATE TABLE load_hot AS SELECT n, 0 AS v FROM generate_series(1, 200) n' \
    --command='CREATE TABLE load_bulk (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text)' 2>/dev/null)
  load_primary 2>>"$work/load.log" &
  load=($!)
  load_standbys 2>>"$work/load.log" &
  load+=($!)
}

stop_load() {
  ((${#load[@]} > 0)) || return 0
  : >"$work/stop"
  wait "${load[@]}" 2>/dev/null || true
  load=()
}

acknowledged_since() {
  local at _
  read -r at _ < <(tail --lines=1 "$work/acknowledged") || return 1
  ((at > $1))
}

# The longest gap between two acknowledgements of which the second came after that moment, in ms.
gap_since() {
  awk -v since="$1" '$1 > since && before && $1 - before > most { most = $1 - before } { before = $1 }
    END { printf "%d\n", (most + 500) / 1000 }' "$work/acknowledged"
}

check_rows() {
  local lost
  # In this order: the client goes on writing.
  cut --delimiter=' ' --fields=2 "$work/acknowledged" | sort >"$work/expected"
  (client --command="COPY (SELECT n FROM written WHERE run = '$run') TO STDOUT") | sort >"$work/there"
  lost=$(comm -23 "$work/expected" "$work/there" | tr '\n' ' ')
  [[ -z $lost ]] || fail "LOST: acknowledged rows that are not there: $lost"
}

# A halted cell is removed and deployed anew.
put_back() {
  task "nodes/$1" DELETE
  await "$healthy_within" "$1 has a session" is_listed "$1"
  task "nodes/$1/deploy" POST
}

# Makes the table, and brings the lab up if need be.
set_the_stage() {
  psql=$(psql_program) || fail 'needs psql (postgresql-client)'
  "$project/scripts/lab" up "${kind[@]}" --cells "$cells" --mode automatic >/dev/null || fail 'the lab does not come up: scripts/lab up'
  rm --recursive --force "$work"
  mkdir "$work"
  (client --command='CREATE TABLE IF NOT EXISTS written (run text, n bigint, PRIMARY KEY (run, n))' 2>/dev/null)
}
