# Shared by the scripts in this directory; sourced, not run.
# shellcheck shell=bash

# Where the repository is, whatever directory a script was called from.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything that is downloaded or takes long to make; never inside the repository.
CACHE=${PIDONE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pidone}
mkdir -p "$CACHE"

# Words for a person go to stderr, so that a script's stdout is its result.
say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# retry COMMAND...: up to four times, for what goes over the network.
retry() {
  local attempt
  for attempt in 1 2 3 4; do
    "$@" && return 0
    say "attempt $attempt failed: $*"
    sleep $((attempt * 3))
  done
  return 1
}

# apt_install PACKAGE...: installs those that are missing.
apt_install() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "apt: ${missing[*]}"
  # Packages must not start daemons here: policy-rc.d says no, for this call only.
  local policy=/usr/sbin/policy-rc.d placed=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    placed=1
  fi
  local status=0
  {
    retry apt-get -qq update &&
      DEBIAN_FRONTEND=noninteractive retry apt-get -qq install -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}"
  } >"$CACHE/apt.log" 2>&1 </dev/null || status=$?
  [ -z "$placed" ] || rm -f "$policy"
  [ "$status" -eq 0 ] || tail -n 30 "$CACHE/apt.log" >&2
  return "$status"
}

# Stable Debian as a tarball, made by debootstrap from its own default mirror; prints its path.
debian_tarball() {
  local tarball=$CACHE/debian-stable.tar.gz work
  if [ ! -s "$tarball" ]; then
    apt_install debootstrap debian-archive-keyring
    work=$(mktemp -d)
    retry debootstrap --variant=minbase stable "$work/debian" >"$CACHE/debootstrap.log" 2>&1 ||
      { tail "$CACHE/debootstrap.log" >&2; return 1; }
    rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/* "$work"/debian/usr/share/{doc,man,locale}/*
    tar -C "$work/debian" -c . | gzip -1 >"$tarball.new"
    mv "$tarball.new" "$tarball"
    rm -rf "$work"
  fi
  printf '%s\n' "$tarball"
}

# size_at_most FILE BYTES
size_at_most() {
  local size
  size=$(stat -c %s "$1") || return 1
  say "size: $size bytes of at most $2: $1"
  [ "$size" -le "$2" ]
}

# is_static FILE: no interpreter and no library is asked for.
is_static() {
  local headers
  headers=$(readelf -lW "$1") || return 1
  if grep -q INTERP <<<"$headers"; then
    say "not static: $1 asks for an interpreter"
    return 1
  fi
  if readelf -dW "$1" | grep -q NEEDED; then
    say "not static: $1 asks for libraries"
    return 1
  fi
}

# stop_process PID: TERM, then KILL after 20 s; the caller must have started it.
stop_process() {
  local tries=0
  kill -TERM "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || kill -KILL "$1" 2>/dev/null
    [ "$tries" -lt 250 ] || return 1
    sleep 0.1
  done
}
