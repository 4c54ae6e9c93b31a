#!/usr/bin/env bash
# Everything that needs no root and no network: types, lint, format, unit tests beside the code.
set -euo pipefail
cd "$(dirname "$0")/.."
node_modules/.bin/tsc
node_modules/.bin/biome check --error-on-warnings .
node_modules/.bin/node --test --test-reporter=dot 'appliance/**/*.test.ts' 'provisioning/**/*.test.ts' 'rootfs/**/*.test.ts' 'images/**/*.test.ts' 'test/*.test.ts' 'test/sim/*.test.ts'
