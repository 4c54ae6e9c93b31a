#!/usr/bin/env bash
# The lab's own tests. Those named *.lab.test.ts need root and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec node_modules/.bin/node --test --test-concurrency=1 --test-timeout=300000 --test-reporter=spec 'test/lab/**/*.test.ts' 'test/interop/**/*.test.ts' "$@"
