# Runs the blocks of a page: calls of these functions, which tests/containers/manual.rs puts behind this file. $1: where a
# `docker` is that goes before others in PATH.
set -e
exec 2>&1 </dev/null
page_place=start
trap 'page_status=$?; [ "$page_status" = 0 ] || echo "line $page_place: exit status $page_status"' EXIT
export PATH=$1:$PATH HOME=$PWD/home COMPOSE_PROJECT_NAME=pidone-test-manual-$$
mkdir "$HOME"
# A published port accepts before the app in the container listens.
printf 'silent\nshow-error\nretry = 60\nretry-all-errors\nretry-delay = 1\n' >"$HOME/.curlrc"

# The commands of a reader's shell: what a block sets stays set.
page_block() {
  page_place=$1
  echo "--- $1"
  eval "$(cat)"
}

page_file() {
  page_place=$1
  cat >"$2"
}
