/**
 * A program to be killed: adds homes as fast as it can, and writes the name of each on standard output after, and only
 * after, it has been acknowledged. Arguments: database address, prefix of the names.
 */
import { writeSync } from 'node:fs';
import { openDatabase } from '../db/database.ts';
import { change } from '../facts/change.ts';
import { addRecord } from '../facts/fleet.ts';

const [address = '', prefix = ''] = process.argv.slice(2);
const database = await openDatabase(address);
for (let count = 0; ; count += 1) {
  const name = `${prefix}-${count}`;
  await change(database, { author: 'crash', summary: `add ${name}`, now: Date.now() }, (edit) =>
    addRecord(edit, 'device', { customer: 'acme', name }),
  );
  writeSync(1, `${name}\n`);
}
