#!/usr/bin/env bash
# `npm test`: every ring that fits half an hour, step by step (test/steps.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
source test/steps.sh
node=node_modules/.bin/node
jobs=-j$(nproc)

step 'types, lint, format, unit tests' bash test/check.sh
step 'provisioning, on SQLite and PostgreSQL' env MOAT_TEST_POSTGRES=1 $node --test 'provisioning/**/*.test.ts'
step "the operators' page, in Chromium" $node --test test/interop/provisioning/page.test.ts
step 'simulation: 1000 seeds' $node test/sim/main.ts --seeds 1000
# In a network of its own: the ports that the test planes bind are always free there.
alone() { unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@"; }
step 'data plane: unit tests' alone make -s -C native $jobs test
for sanitizer in asan ubsan tsan; do
  step "data plane: unit tests under $sanitizer" alone make -s -C native $jobs $sanitizer
done
step 'data plane: every parser fuzzed for 10 s' make -s -C native $jobs fuzz SECONDS=10
step 'data plane: no dearer than it was, in instructions' $node test/bench/main.ts instructions
step 'data plane: two of them in two namespaces' $node --test 'native/**/*.test.ts'
step 'routes into the tunnel, in a kernel of their own' unshare -n $node --test test/host/network.root.test.ts
step 'the lab itself, and its foreign peers' bash test/lab/test.sh
# What takes its time is not among these: kills and faults by the dozen, hundreds of boxes. `npm run lab -- check` plays all.
export MOAT_LAB_KILLS=2 MOAT_LAB_FAULTS='server is off'
stories=(plain peers servers tunnel rekey foreign faults weather mtu roam zones multi mapping dhcp dns ntp split-dns offline enroll revoke live-change move supervisor-basics supervisor-kills doctor)
if [ "$patient" = yes ]; then
  for story in "${stories[@]}"; do step "story $story" $node test/lab/main.ts check "$story"; done
else
  $node test/lab/main.ts check "${stories[@]}"
fi
verdict
