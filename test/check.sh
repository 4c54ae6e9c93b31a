#!/usr/bin/env bash
# Everything that needs no root, no network and no patience: types, lint, format, unit tests beside the code. What is slow
# (PostgreSQL, browsers, whole programs) is in all.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
node_modules/.bin/tsc
node_modules/.bin/biome check --error-on-warnings .
node_modules/.bin/node --test --test-reporter=dot 'appliance/**/*.test.ts' 'provisioning/!(cli|web)/**/*.test.ts' 'rootfs/**/*.test.ts' 'images/**/*.test.ts' 'test/*.test.ts' 'test/sim/*.test.ts' 'test/bench/**/*.test.ts'
