# Sourced by what plays many steps (test/all.sh, test/image/ci.sh). Each step prints its name and how long it took, and everything it
# said when it fails; the first that fails ends it all. With MOAT_TEST_PATIENT=yes (continuous integration) the others are still run, and
# what failed is run once more: what passes then is counted and named as unsteady, and more than two of these fail the run as well.
patient=${MOAT_TEST_PATIENT:-no}
# Files rather than variables: steps may run beside each other.
record=$(mktemp -d)
trap 'rm -rf "$record"' EXIT
: >"$record/failed" >"$record/unsteady"

once() {
  local name=$1 log from=$SECONDS
  shift
  log=$(mktemp -p "$record")
  if "$@" >"$log" 2>&1; then
    printf 'ok    %-58s %4d s\n' "$name" $((SECONDS - from))
    rm -f "$log"
  else
    cat "$log"
    rm -f "$log"
    printf 'FAIL  %-58s %4d s\n      again: %s\n' "$name" $((SECONDS - from)) "$*"
    return 1
  fi
}

# step NAME COMMAND...
step() {
  once "$@" && return
  [ "$patient" = yes ] || exit 1
  if once "$@"; then echo "$1" >>"$record/unsteady"; else echo "$1" >>"$record/failed"; fi
}

# Says what failed and what was unsteady. Returns 1 where that fails the run.
verdict() {
  sed 's/^/unsteady (failed, then passed): /' "$record/unsteady"
  sed 's/^/failed: /' "$record/failed"
  [ ! -s "$record/failed" ] && [ "$(wc -l <"$record/unsteady")" -le 2 ]
}
