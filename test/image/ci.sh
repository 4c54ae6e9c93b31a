#!/usr/bin/env bash
# The image's part of continuous integration, on any Debian machine with root: builds the image of a PC, then plays what needs no
# QEMU (damages, refused bundles, rollback, services) beside one start by UEFI to the tunnel and the LAN's page. What fails prints its
# log and the last words of its consoles. With MOAT_TEST_PATIENT=yes it is played once more (test/steps.sh). No step outlives its time.
set -euo pipefail
cd "$(dirname "$0")/../.."
source test/steps.sh
# What a story returned is shown also when all is well.
exec 3>&1

# within SECONDS COMMAND...: `timeout` ends the whole group of what it started. In the background, so that signals are heard here.
within() {
  local limit=$1 code=0 pid
  shift
  timeout --kill-after=60 "$limit" "$@" &
  pid=$!
  echo $pid >"$record/$pid.pid"
  wait $pid || code=$?
  rm -f "$record/$pid.pid"
  [ "$code" != 124 ] || printf 'moat: it took longer than %s s\n' "$limit"
  return "$code"
}

# stories SECONDS ARGUMENT...: of `npm run test:image`.
stories() {
  local limit=$1 log
  shift
  log=$(mktemp -p "$record")
  if within "$limit" test/run image-test "$@" >"$log" 2>&1; then
    sed -n 's/^[^ ].* ([0-9]* s): /      &/p' "$log" >&3
  else
    cat "$log"
    consoles "$log"
    return 1
  fi
}

# The first line of a run of stories says where its files are.
consoles() {
  local folder file
  folder=$(sed -n 's/^seed [0-9]*, files in //p' "$1")
  [ -n "$folder" ] || return 0
  for file in "$folder"/*.console; do
    [ -e "$file" ] || continue
    printf -- '----- %s\n' "${file##*/}"
    tail -n 25 "$file"
  done
}

# Namespaces carry the number of the process that made them.
nothing_left() {
  local left
  left=$(
    ip netns list | sed -n 's/^moatimg\([0-9]*\)-.*/\1/p' | sort -u | while read -r pid; do
      kill -0 "$pid" 2>/dev/null || echo "network namespaces moatimg$pid"
    done
    losetup --list --noheadings --output NAME,BACK-FILE | grep -F "$PWD/.runs/" || true
  )
  [ -z "$left" ] || { printf 'left behind: %s\n' "$left"; return 1; }
}

end_all() {
  local file pid
  for file in "$record"/*.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    # It ends within the time that `timeout` gives it.
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  done
  rm -rf "$record"
}

trap end_all EXIT
trap 'exit 143' TERM INT HUP
# Compressed in a hurry: half of the time of a build is that.
step 'the image of a PC, uncompressed' within 900 env MOAT_COMPRESSION=3 test/run image --board pc --no-compress --out .build/image/pc.img
# What it needs is installed once, before two of them start.
step 'what the stories need' within 600 test/run image-test --only 'no story of this name'
step 'the image by UEFI' stories 840 --only UEFI &
start=$!
# Those of a box: a portal's want an image of their own.
step 'the image without QEMU' stories 840 --only many --only services --only 'updates, without' --only 'rollback, without'
wait "$start"
step 'nothing of it is left' nothing_left
verdict
