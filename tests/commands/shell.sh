# Runs the blocks of a page: calls of these functions, which tests/commands puts behind this file. It is process 1 of a
# namespace, with a network and mounts of its own. $1: a directory with page, where the commands run, and bin. $2: the
# page's node_modules, if it has any. What servers print is on standard error, what all others print on standard output.
set -e
exec 3>&2 2>&1 </dev/null
page_place=start
trap 'page_status=$?; [ "$page_status" = 0 ] || echo "$page_place: exit status $page_status"' EXIT

hostname web
ip link set lo up
# Open from here on, as the next lines may hide its name.
cd "$1"
mount -t tmpfs tmpfs /run
if [ -n "$2" ]; then
  mkdir /run/node_modules
  mount --bind "$2" /run/node_modules
  mount -o remount,bind,ro /run/node_modules
  ln -s /run/node_modules page
fi
mount -t tmpfs tmpfs /tmp
cp -a . /tmp
# So that no command of a page changes the machine.
mount -o remount,bind,ro /
cd /tmp/page
export PATH=/tmp/bin:$PATH HOME=/tmp/home
mkdir "$HOME"
# No progress, as the output is no terminal.
printf 'silent\nshow-error\n' >"$HOME/.curlrc"
unset PIDONE_CONTROL OLDPWD
page_server=

# Says which line of the page this is.
page_at() {
  page_place=$1
  # What was printed before may not end with a newline.
  printf '\n--- %s\n' "$1" | tee /dev/fd/3
}

# What a block sets stays set, as in a reader's shell.
page_block() {
  page_text=$(cat)
  eval "$page_text"
}

# Must exit with this status.
page_fails() {
  page_text=$(cat)
  page_status=0
  (eval "$page_text") || page_status=$?
  if [ "$page_status" != "$1" ]; then
    echo "exit status $page_status instead of $1"
    exit 1
  fi
}

page_file() {
  case $1 in
    */*) mkdir -p "${1%/*}" ;;
  esac
  cat >"$1"
}

# In a process group of its own, which a signal can be sent to.
page_start() {
  page_stop
  page_text=$(cat)
  set -m
  (
    set +m
    export PORT="${PORT:-$1}"
    exec 1>&3 2>&3
    eval "$page_text"
  ) &
  page_server=$!
  set +m
}

page_goes_on() {
  kill -0 "$page_server" 2>/dev/null && return
  page_status=0
  wait "$page_server" || page_status=$?
  page_server=
  echo "the command has exited with status $page_status"
  exit 1
}

# A server, which answers on this port before the next block.
page_serves() {
  page_start "$1"
  until curl --silent --output /dev/null --max-time 5 "http://127.0.0.1:$1/" 2>/dev/null; do
    page_goes_on
    sleep 0.02
  done
  # All workers, as when a reader types the next command.
  until [ ! -S /run/pidone.sock ] || pidone ctl ready >/dev/null 2>&1; do
    page_goes_on
    sleep 0.02
  done
}

# A command that goes on, and listens on nothing.
page_runs() {
  page_start 3000
  sleep 1
  page_goes_on
}

# The last server must end when it is asked to.
page_stop() {
  [ -n "$page_server" ] || return 0
  kill -TERM -- "-$page_server" 2>/dev/null || true
  while kill -0 -- "-$page_server" 2>/dev/null; do
    sleep 0.02
  done
  page_server=
}
