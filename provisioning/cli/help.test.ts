import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from 'commander';
import { kindNames, kinds } from '../facts/kinds.ts';
import { meanings } from '../facts/meanings.ts';
import { portalProgram } from './program.ts';
import { recordCommands } from './records.ts';

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

test('every field of every kind has a meaning, and every meaning a field', () => {
  for (const kind of kindNames) {
    assert.deepEqual(Object.keys(meanings[kind]).toSorted(), Object.keys(kinds[kind].fields).toSorted(), kind);
    for (const [field, { meaning }] of Object.entries(meanings[kind]))
      assert.ok(meaning.length > 5, `${kind}.${field}`);
  }
});

test('every example can be typed: its command is there, and takes its options', () => {
  const all = new Map([...everyCommand(portalProgram(), 'portal')].map(({ command, path }) => [path, command]));
  for (const { examples } of Object.values(recordCommands)) {
    for (const example of examples) {
      const words = example.split(' ');
      const command = all.get(`portal ${words[0]} ${words[1]}`);
      assert.ok(command, example);
      const known = command.options.map(({ long }) => long);
      for (const word of words) assert.ok(!word.startsWith('--') || known.includes(word), `${example}: ${word}`);
    }
  }
});
