#!/usr/bin/env bash
# The image's part of continuous integration, on any Debian machine with root: builds the image of a PC, then plays what needs no
# QEMU (damages, refused bundles, rollback, services) beside one start by UEFI to the tunnel and the LAN's page. Ends within 35 minutes, whatever
# happens (7 on two processors of its own), and looks whether anything is left of it. What failed prints its log and the last words of its consoles.
set -euo pipefail
cd "$(dirname "$0")/../.."
logs=$(mktemp -d)
failed=0

# step SECONDS NAME COMMAND...: `timeout` ends the whole group of what it started. In the background, so that signals are heard here.
step() {
  local limit=$1 name=$2 log from=$SECONDS code=0
  log=$logs/$(tr -c 'A-Za-z0-9\n' - <<<"$2")
  shift 2
  timeout --kill-after=60 "$limit" "$@" >"$log" 2>&1 &
  echo $! >"$log.pid"
  wait $! || code=$?
  rm -f "$log.pid"
  if [ "$code" = 0 ]; then
    printf 'ok    %-58s %4d s\n' "$name" $((SECONDS - from))
    grep -E '^[^ ].* \([0-9]+ s\): ' "$log" | sed 's/^/      /' || true
  else
    cat "$log"
    [ "$code" != 124 ] || printf 'moat: it took longer than %s s\n' "$limit"
    consoles "$log"
    printf 'FAIL  %-58s %4d s\n      again: %s\n' "$name" $((SECONDS - from)) "$*"
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
left_over() {
  ip netns list | sed -n 's/^moatimg\([0-9]*\)-.*/\1/p' | sort -u | while read -r pid; do
    kill -0 "$pid" 2>/dev/null || echo "network namespaces moatimg$pid"
  done
  losetup --list --noheadings --output NAME,BACK-FILE | grep -F "$PWD/.runs/" || true
}

end_all() {
  local file pid
  for file in "$logs"/*.pid; do
    pid=$(cat "$file" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || true
    # It ends within the time that `timeout` gives it.
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  done
  rm -rf "$logs"
}

trap end_all EXIT
trap 'exit 143' TERM INT HUP
# Compressed in a hurry: half of the time of a build is that.
step 900 'the image of a PC, uncompressed' env MOAT_COMPRESSION=3 test/run image --board pc --no-compress --out .build/image/pc.img
# What it needs is installed once, before two of them start.
step 300 'what the stories need' test/run image-test --only 'no story of this name'
step 840 'the image by UEFI' test/run image-test --only UEFI &
start=$!
# Those of a box: a portal's want an image of their own.
step 840 'the image without QEMU' test/run image-test --only many --only services --only 'updates, without' --only 'rollback, without' || failed=1
wait "$start" || failed=1
left=$(left_over)
[ -z "$left" ] || { printf 'FAIL  left behind: %s\n' "$left"; failed=1; }
exit "$failed"
