import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { portalProgram } from './program.ts';

function* everyCommand(command: Command, path: string): Generator<{ command: Command; path: string }> {
  yield { command, path };
  for (const sub of command.commands) yield* everyCommand(sub, `${path} ${sub.name()}`);
}

test('every command and every option says what it is', () => {
  const silent: string[] = [];
  for (const { command, path } of everyCommand(portalProgram(), 'portal')) {
    if (command.description().length < 5) silent.push(path);
    for (const { long, description } of command.options) if (description.length < 5) silent.push(`${path} ${long}`);
  }
  assert.deepEqual(silent, []);
});
