#!/bin/sh
# boot.sh NAME OPTIONS-OF-NSPAWN...: boots a Debian root with systemd (.ci/systemd-root), for the tests and benches/rows/units.py.
#
# Control groups of its own, so that what systemd leaves there can be removed; the mounts are private, and all of it ends
# with the process that has started it.
name=$1
shift
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -e "$hierarchy/cgroup.procs" ] || continue
  mkdir "$hierarchy/$name" && echo $$ >"$hierarchy/$name/cgroup.procs" || exit 1
done
exec setpriv --pdeathsig TERM unshare --mount systemd-nspawn --quiet --boot --volatile=overlay --console=pipe \
  --keep-unit --register=no --notify-ready=yes --machine="$name" "$@"
