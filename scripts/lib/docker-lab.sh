# shellcheck shell=bash
# scripts/lab's cells as containers: these functions stand in place of those of the same names there. To be sourced by it.
# shellcheck disable=SC2154,SC2034

: "${LAB_PROJECT:=cellkeeper-lab}" "${LAB_NET:=172.28.90}"
readonly image=${LAB_IMAGE:-cellkeeper/cell} more_file=$lab/compose.more.yaml
# What is published; the other ports are the containers' own.
ports=("$postgres_port" "$api_port")

container_of() { printf '%s-cell-%s\n' "$LAB_PROJECT" "$1"; }

# Compose names a volume after its project.
volume_of() { printf '%s_cell-%s\n' "$LAB_PROJECT" "$1"; }

address_of() { printf '%s.1%s\n' "$LAB_NET" "$1"; }

names_of() { printf 'cell-%s,%s,%s\n' "$1" "$(address_of "$1")" "$(host_of "$1")"; }

# "docker compose", or docker-compose where there is no such plugin.
compose() {
  local -a command=(docker-compose) files=(--file "$project/appliance-image/compose.yaml")
  ! docker compose version >/dev/null 2>&1 || command=(docker compose)
  [[ ! -r $more_file ]] || files+=(--file "$more_file")
  "${command[@]}" --project-name "$LAB_PROJECT" --env-file "$env_file" "${files[@]}" "$@"
}

# What Compose says is shown only when it fails.
quietly() {
  local said
  said=$("$@" 2>&1) || {
    printf '%s\n' "$said" >&2
    return 1
  }
}

# ---- processes

status_of() { docker inspect --format '{{.State.Status}}' "$(container_of "$1")" 2>/dev/null; }

is_running() { [[ $(status_of "$1") =~ ^(running|paused|restarting)$ ]]; }

# A command in a cell's container, as PostgreSQL's user.
inside() {
  local cell=$1
  shift
  docker exec "$(container_of "$cell")" "$@"
}

signal_all() {
  local signal=$1 cell=$2 container
  [[ -z ${3:-} ]] || fail 'the ZooKeeper server lives and dies with its container'
  container=$(container_of "$cell")
  case $signal in
    KILL) docker kill "$container" >/dev/null 2>&1 ;;
    STOP) docker pause "$container" >/dev/null 2>&1 || [[ $(status_of "$cell") == paused ]] ;;
    CONT)
      is_running "$cell" || return 1
      [[ $(status_of "$cell") != paused ]] || docker unpause "$container" >/dev/null
      ;;
  esac
}

kill_part() {
  # shellcheck disable=SC2016
  inside "$cell" sh -c '
    cd /var/lib/cell
    case $1 in
      postgres) file=postgres/data/postmaster.pid ;;
      *) file=run/$1.pid ;;
    esac
    [ "$1" != zookeeper ] || touch run/zookeeper.hold
    read -r pid _ 2>/dev/null <"$file" && kill -KILL "$pid"' kill "$1"
}

signal_child() {
  local title
  title=$(title_of_child "$2") || exit 2
  # shellcheck disable=SC2016
  inside "$cell" sh -c '
    pid=$(ps -e -ww -o pid=,args= | awk -v title="$2" "
      \$2 == \"postgres:\" && index(\$0, \$3 \" \" title) > 0 { found = \$1 } END { print found }")
    [ -n "$pid" ] && kill -"$1" "$pid"' signal "$1" "$title"
}

stop_cells() {
  local cell killed=0
  local -a running=()
  for cell in "$@"; do
    is_running "$cell" || continue
    running+=("$cell")
    # One that is paused hears nothing.
    signal_all CONT "$cell" || true
  done
  for cell in "${running[@]}"; do
    docker stop "$(container_of "$cell")" >/dev/null &
  done
  wait
  for cell in "${running[@]}"; do
    if [[ $(docker inspect --format '{{.State.ExitCode}}' "$(container_of "$cell")") == 137 ]]; then
      complain "$(name_of "$cell") has not ended in time: it was killed"
      killed=1
    else
      say "$(name_of "$cell") stopped"
    fi
  done
  return "$killed"
}

launch_all() {
  quietly compose up --detach --no-recreate "${@/#/cell-}" || return 1
  launched=("$@")
}

all_live() {
  local cell
  for cell in "${launched[@]}"; do
    is_running "$cell" || {
      complain "$(name_of "$cell") did not start; the end of its log:"
      docker logs --tail 15 "$(container_of "$cell")" >&2
      return 1
    }
  done
}

start() {
  case $(status_of "$cell") in
    running) inside "$cell" rm --force /var/lib/cell/run/zookeeper.hold ;;
    paused) signal_all CONT "$cell" ;;
    *)
      docker start "$(container_of "$cell")" >/dev/null 2>&1 ||
        quietly compose up --detach --no-recreate --no-deps "$(name_of "$cell")" || fail "$(name_of "$cell") does not start"
      inside "$cell" rm --force /var/lib/cell/run/zookeeper.hold
      say "$(name_of "$cell") started"
      return 0
      ;;
  esac
  say "$(name_of "$cell") runs"
}

empty() {
  docker rm --force "$(container_of "$cell")" >/dev/null 2>&1 || true
  ! docker volume inspect "$(volume_of "$cell")" >/dev/null 2>&1 || docker volume rm "$(volume_of "$cell")" >/dev/null
}

show_log() { exec docker logs --tail 200 "$@" "$(container_of "$cell")"; }

# ---- up and down

require_programs() {
  local -a missing=()
  [[ -n $(find_java) ]] || missing+=("openjdk-${needed_java}-jre-headless")
  command -v curl >/dev/null || missing+=(curl)
  install_packages "${missing[@]}"
  require_docker
  docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || install_packages docker-compose
  if [[ -z ${LAB_BUILD:-} ]]; then
    "$project/scripts/image"
  else
    docker image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image: scripts/image"
  fi
}

# The image has the program in it, and scripts/image has made it.
must_build() { return 1; }

# Done while the image is built.
rehearse() { :; }

check_name() { :; }

check_way() { :; }

# A new lab makes new secrets: what another one of the same project has left, or runs, would not take them.
refuse_leftovers() {
  local cell
  local -a containers=() volumes=()
  command -v docker >/dev/null || return 0
  for ((cell = 1; cell <= most_cells; cell++)); do
    ! docker container inspect "$(container_of "$cell")" >/dev/null 2>&1 || containers+=("$(container_of "$cell")")
    ! docker volume inspect "$(volume_of "$cell")" >/dev/null 2>&1 || volumes+=("$(volume_of "$cell")")
  done
  ((${#containers[@]} + ${#volumes[@]} > 0)) || return 0
  complain "there is no lab in $lab, but the Compose project $LAB_PROJECT exists: of a lab in another folder, or of one whose"
  complain 'folder is gone, and its secrets with it. Give this lab another LAB_PROJECT, LAB_NET and LAB_HOST_PREFIX, or remove that one:'
  ((${#containers[@]} == 0)) || complain "  docker rm --force ${containers[*]}"
  ((${#volumes[@]} == 0)) || complain "  docker volume rm ${volumes[*]}"
  exit 1
}

write_config() {
  local cell=$1 secret
  local -A secrets=([cluster]=cluster.secret [root]=root.password [vcloud]=vcloud.password)
  # Containers read them as another user; the folder keeps everybody else out.
  (umask 077 && mkdir --parents "$lab/secrets")
  for secret in "${!secrets[@]}"; do
    install --mode=444 "$lab/${secrets[$secret]}" "$lab/secrets/$secret"
  done
  install --mode=444 "$ca_file" "$lab/secrets/ca"
  for secret in "cell-$cell.pem" "cell-$cell.key"; do
    install --mode=444 "$lab/ca/$secret" "$lab/secrets/$secret"
  done
  ((cell > 3)) || return 0
  {
    printf 'services:\n'
    for ((cell = 4; cell <= cells; cell++)); do
      cat <<YAML
  cell-$cell:
    extends: {file: "$project/appliance-image/compose.cell.yaml", service: cell}
    container_name: $(container_of "$cell")
    hostname: cell-$cell
    environment: {CELL_NAME: cell-$cell}
    networks: {cells: {ipv4_address: "$(address_of "$cell")"}}
    ports: ["$(host_of "$cell"):5480:5480", "$(host_of "$cell"):5432:5432"]
    volumes: ["cell-$cell:/var/lib/cell", "transfer:/transfer"]
    secrets: [{source: cell-$cell-certificate, target: certificate}, {source: cell-$cell-key, target: key}]
YAML
    done
    printf 'secrets:\n'
    for ((cell = 4; cell <= cells; cell++)); do
      printf '  cell-%s-certificate: {file: "%s/secrets/cell-%s.pem"}\n' "$cell" "$lab" "$cell"
      printf '  cell-%s-key: {file: "%s/secrets/cell-%s.key"}\n' "$cell" "$lab" "$cell"
    done
    printf 'volumes:\n'
    for ((cell = 4; cell <= cells; cell++)); do
      printf '  cell-%s:\n' "$cell"
    done
  } >"$more_file"
}

# Compose reads the same file.
write_env() {
  local cell list='' zookeeper=''
  for ((cell = 1; cell <= cells; cell++)); do
    list+="${list:+,}https://$(host_of "$cell"):$api_port"
    ((cell > keepers)) || zookeeper+="${zookeeper:+,}cell-$cell=cell-$cell"
  done
  cat >"$env_file.new" <<ENV
LAB_CELLS=$cells
LAB_KEEPERS=$keepers
LAB_HOSTS=$host_prefix
LAB_ENGINE=docker
LAB_PROJECT=$LAB_PROJECT
LAB_NET=$LAB_NET
LAB_IMAGE=$image
LAB_MODE=$1
LAB_ZOOKEEPER=$zookeeper
LAB_SECRETS=$lab/secrets
CELLCTL_CELLS=$list
CELLCTL_PASSWORD_FILE=$lab/root.password
CELLCTL_CA_FILE=$ca_file
ENV
  mv "$env_file.new" "$env_file"
}

clear_away() {
  local -a volumes=()
  (($1 == 0)) || volumes=(--volumes)
  quietly compose down "${volumes[@]}"
}

# ---- the network

# Runs the lines of a script in a cell's network, with the right to change it, which the cell itself has not.
in_network_of() {
  docker run --rm --network "container:$(container_of "$1")" --user root --cap-drop ALL --cap-add NET_ADMIN \
    --entrypoint sh "$image" -c "$2"
}

# The interface's entry for a neighbour becomes one that nobody answers to: what is sent there is lost silently.
lose() {
  local cell=$1 other script='set -e'
  shift
  for other in "$@"; do
    script+=$'\n'"ip neighbour replace $(address_of "$other") lladdr 02:00:00:00:00:00 nud permanent dev eth0"
  done
  in_network_of "$cell" "$script"
}

regain() {
  local cell=$1 other script=
  shift
  for other in "$@"; do
    script+="ip neighbour del $(address_of "$other") dev eth0 2>/dev/null"$'\n'
  done
  in_network_of "$cell" "$script true"
}

cut_network() {
  local from=$1 one_way=$2 other
  local -a others=()
  is_running "$cell" || fail "$(name_of "$cell") does not run"
  for ((other = 1; other <= cells; other++)); do
    [[ $other == "$cell" || $other != "${from:-$other}" ]] || others+=("$other")
  done
  # From here on no answer of this cell's arrives: the other direction only has to follow soon.
  lose "$cell" "${others[@]}"
  if ((one_way)); then
    say "what $(name_of "$cell") sends to ${from:+cell-}${from:-the other cells} is lost"
    return 0
  fi
  for other in "${others[@]}"; do
    ! is_running "$other" || lose "$other" "$cell"
  done
  say "$(name_of "$cell") is cut off from ${from:+cell-}${from:-the other cells}"
}

heal() {
  local other
  local -a others=()
  for ((other = 1; other <= cells; other++)); do
    [[ $other == "$cell" ]] || others+=("$other")
  done
  ! is_running "$cell" || regain "$cell" "${others[@]}"
  for other in "${others[@]}"; do
    ! is_running "$other" || regain "$other" "$cell"
  done
  say "$(name_of "$cell") hears and is heard"
}
