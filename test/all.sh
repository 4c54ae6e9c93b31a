#!/usr/bin/env bash
# `npm test`: every ring that fits a quarter of an hour. Each step prints its name and how long it took.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  local name=$1 log from=$SECONDS
  shift
  log=$(mktemp)
  if "$@" >"$log" 2>&1; then
    printf 'ok    %-48s %4d s\n' "$name" $((SECONDS - from))
    rm -f "$log"
  else
    cat "$log"
    printf 'FAIL  %-48s %4d s\n      again: %s\n' "$name" $((SECONDS - from)) "$*"
    exit 1
  fi
}

step 'types, lint, format, unit tests' bash test/check.sh
