# shellcheck shell=bash
# What the scripts share: saying, finding Java, installing what is missing, building. To be sourced.

# Functions of the caller's, before there are any of ours.
while read -r _ _ function; do
  unset -f "$function"
done < <(declare -F)
unset function
# shellcheck source-path=SCRIPTDIR source=../../appliance-image/clean-environment disable=SC2154
source "$project/appliance-image/clean-environment"
# Java looks there, whatever HOME says; so does Maven.
passwd_home=$(getent passwd "$EUID" | cut --delimiter=: --fields=6)
: "${HOME:=${passwd_home:-/}}"
export HOME

# shellcheck disable=SC2034
readonly needed_java=25 needed_postgres=15

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

complain() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# The major version of the Java in a directory; nothing if there is none.
java_major() {
  local home=$1 program=$2 line version
  [[ -x $home/bin/$program && -r $home/release ]] || return 0
  while IFS= read -r line; do
    [[ $line == JAVA_VERSION=* ]] || continue
    version=${line#*\"}
    version=${version%%[.\"+-]*}
    [[ $version =~ ^[0-9]+$ ]] && printf '%s\n' "$version"
    return 0
  done <"$home/release"
}

# The home of a fitting Java that has this program: JAVA_HOME first, then the usual places. Nothing if there is none.
find_java_with() {
  local program=$1 home major
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [[ -n $home ]] || continue
    major=$(java_major "$home" "$program")
    if [[ -n $major ]] && ((major >= needed_java)); then
      printf '%s\n' "$home"
      return 0
    fi
  done
}

# One that runs programs.
find_java() { find_java_with java; }

# One that compiles, too.
find_jdk() { find_java_with javac; }

# The newest of a library in the local Maven repository.
library() {
  local -a found
  mapfile -t found < <(find "${passwd_home:-$HOME}/.m2/repository/$1" -name '*.jar' ! -name '*-sources.jar' 2>/dev/null |
    sort --version-sort)
  if ((${#found[@]} == 0)); then
    complain "no $1 in the local Maven repository: run it without --no-build"
    return 1
  fi
  printf '%s\n' "${found[-1]}"
}

# The folder of the programs of the newest PostgreSQL that is new enough; fails when there is none.
find_postgres() {
  local program version newest=$((needed_postgres - 1))
  for program in /usr/lib/postgresql/*/bin/postgres; do
    version=${program#/usr/lib/postgresql/}
    version=${version%%/*}
    if [[ -x $program && $version =~ ^[0-9]{1,4}$ ]] && ((version > newest)); then
      newest=$version
    fi
  done
  ((newest >= needed_postgres)) && printf '/usr/lib/postgresql/%s/bin\n' "$newest"
}

has_postgres() { find_postgres >/dev/null; }

# Installs Debian packages, or says what is missing.
install_packages() {
  local -a missing=("$@") unavailable=()
  local package
  ((${#missing[@]} > 0)) || return 0

  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    complain "missing: ${missing[*]} (package names of Debian; run as root on Debian to have them installed)"
    return 1
  fi

  say "installing: ${missing[*]}"
  apt-get update --quiet=2
  for package in "${missing[@]}"; do
    [[ -n $(apt-cache show --no-all-versions "$package" 2>/dev/null) ]] || unavailable+=("$package")
  done
  if ((${#unavailable[@]} > 0)); then
    complain "missing, and this system's package sources do not have: ${unavailable[*]}"
    complain "a JDK ${needed_java} or later is found under /usr/lib/jvm or through JAVA_HOME"
    return 1
  fi
  # The cells make their own databases; PostgreSQL's package need not start one.
  if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    mkdir --parents /etc/postgresql-common/createcluster.d
    printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.d/cellkeeper.conf
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
  # The cells run PgBouncers of their own; its package starts one for the machine.
  if [[ " ${missing[*]} " == *" pgbouncer "* && -d /run/systemd/system ]]; then
    systemctl --quiet disable --now pgbouncer
  fi
}

# Whether cell/target/cell.jar is missing, or older than its sources.
program_is_stale() {
  # shellcheck disable=SC2154
  local jar=$project/cell/target/cell.jar
  [[ -r $jar ]] || return 0
  [[ -n $(find "$project/pom.xml" "$project/api/pom.xml" "$project/api/src/main" "$project/cell/pom.xml" \
    "$project/cell/src/main" -newer "$jar" -print -quit) ]]
}

build_program() {
  say 'building cell/target/cell.jar'
  if ! (cd "$project" && JAVA_HOME=$(find_jdk) mvn --batch-mode --quiet --no-transfer-progress \
    --projects cell --also-make -Dmaven.test.skip=true package); then
    complain 'the build failed'
    return 1
  fi
  touch "$project/cell/target/cell.jar"
}

# Makes the cache beside the program that lets agents start with less work (appliance-image/rehearse), unless it is there. Without
# it they run as well, only slower at first.
rehearse_program() {
  local target=$project/cell/target
  [[ -w $target ]] || return 0
  # Two labs that begin at the same time need it once.
  (
    flock 9
    [[ ! $target/cell.aot -nt $target/cell.jar ]] || exit 0
    say 'rehearsing: three cells run for half a minute, once, so that the next ones start faster'
    "$project/appliance-image/rehearse" "$(find_java)/bin/java" "$target/cell.jar" "$target/cell.aot" >/dev/null ||
      complain 'the rehearsal failed: the cells run without what it would have made'
  ) 9>"$target/cell.aot.lock"
}

# Lets what is made in these folders lie far apart on the disk, each with its own files. Beside many that were removed a moment ago,
# ext4 without a journal looks long for a place for each new file: a database is copied there in two seconds, and apart in a tenth.
spread() { chattr +T "$@" 2>/dev/null || true; }

# What a killed engine leaves behind keeps the next one from starting: it takes any process of that number, or its remains, for itself.
forget_dead_engine() {
  local file pid
  for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    # The command line of one that has ended and only waits to be reaped is empty.
    [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") =~ (dockerd|containerd) ]] || rm --force "$file"
  done
}

# A Docker engine that answers: installed and started where that is possible, else it is said what to do.
require_docker() {
  local deadline
  command -v docker >/dev/null || install_packages docker.io || return 1
  ! docker version >/dev/null 2>&1 || return 0
  if ((EUID != 0)); then
    complain "no Docker engine answers: start it, and add $(id --user --name) to the group docker"
    return 1
  fi
  if [[ -d /run/systemd/system ]]; then
    systemctl start docker
  else
    command -v dockerd >/dev/null || install_packages docker.io || return 1
    say 'starting dockerd; it goes on running, and says what it does in /var/log/dockerd.log'
    forget_dead_engine
    setsid dockerd >>/var/log/dockerd.log 2>&1 </dev/null 8<&- &
  fi
  deadline=$((SECONDS + 30))
  while ((SECONDS < deadline)); do
    if docker version >/dev/null 2>&1; then
      spread /var/lib/docker/{volumes,overlay2}
      return 0
    fi
    sleep 0.3
  done
  complain 'no Docker engine answers within 30 s'
  return 1
}
