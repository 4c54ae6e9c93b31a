/** What a change may do to records. Everything it does is noted, so that it can be shown and undone. */
import { sql } from 'kysely';
import type { Tx } from '../db/database.ts';
import { creationSchema, type Kind, type KindName, kindNames, kinds, patchSchema } from './kinds.ts';
import { type FactRecord, findRow, labelsOf, type Row, rowNamed, rowsByIds, toColumns } from './records.ts';
import { parseOrRefuse, refuse } from './refusal.ts';

export interface Change {
  readonly kind: KindName;
  readonly id: number;
  readonly before: Row | null;
  readonly after: Row | null;
}

const creation = new Map(kindNames.map((name) => [name, creationSchema(kinds[name])]));
const patching = new Map(kindNames.map((name) => [name, patchSchema(kinds[name])]));

export class Edit {
  readonly tx: Tx;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly #changes = new Map<string, Change>();

  constructor(tx: Tx, now: number) {
    this.tx = tx;
    this.now = now;
  }

  /** One per record: from how it was before this edit to how it is now. */
  get changes(): readonly Change[] {
    return [...this.#changes.values()].filter(({ before, after }) => JSON.stringify(before) !== JSON.stringify(after));
  }

  /** @throws {Refusal} naming the wrong field. */
  async insert(kindName: KindName, record: FactRecord): Promise<number> {
    const kind = kinds[kindName];
    const schema = creation.get(kindName);
    const fields = schema ? parseOrRefuse(schema, record) : {};
    await this.#refuseTaken(kind, fields, null);
    return this.insertRow(kindName, await toColumns(this.tx, kind, fields));
  }

  /** Columns as they are, unchecked: for what this folder works out itself. */
  async insertRow(kindName: KindName, given: Readonly<Record<string, string | number | null>>): Promise<number> {
    const columns = { ...given, archivedAt: null };
    const inserted = await this.tx
      .insertInto(kinds[kindName].table as 'customers')
      .values(columns as never)
      .returning('id')
      .executeTakeFirstOrThrow();
    this.#note(kindName, inserted.id, null, { id: inserted.id, ...columns });
    return inserted.id;
  }

  /** @throws {Refusal} naming the wrong field, or that the record is archived. */
  async update(kindName: KindName, row: Row, patch: FactRecord): Promise<void> {
    const kind = kinds[kindName];
    if (row.archivedAt !== null) refuse('', `this ${kindName} is archived`, 'conflict');
    const schema = patching.get(kindName);
    const fields = schema ? parseOrRefuse(schema, patch) : {};
    await this.#refuseTaken(kind, fields, row.id);
    await this.put(kindName, row, await toColumns(this.tx, kind, fields));
  }

  /** As `insertRow`, for a record that is there. */
  async put(kindName: KindName, row: Row, columns: Readonly<Record<string, string | number | null>>): Promise<void> {
    if (Object.keys(columns).length === 0) return;
    await this.tx
      .updateTable(kinds[kindName].table as 'customers')
      .set(columns as never)
      .where('id', '=', row.id)
      .execute();
    this.#note(kindName, row.id, row, { ...row, ...columns } as Row);
  }

  /** With everything that it owns. @throws {Refusal} when something else still refers to it. */
  async archive(kindName: KindName, row: Row): Promise<void> {
    if (row.archivedAt !== null) return;
    for (const other of Object.values(kinds)) {
      for (const [name, field] of Object.entries(other.fields)) {
        if (field.to !== kindName) continue;
        const users = await this.#inUse(other, name, row.id);
        if (other.owner === name) for (const owned of users) await this.archive(other.name, owned);
        else if (users.length > 0) await this.#refuseUsed(kindName, other, users);
      }
    }
    await this.put(kindName, row, { archivedAt: this.now });
  }

  named(kindName: KindName, label: string): Promise<Row> {
    return rowNamed(this.tx, kinds[kindName], label);
  }

  async byId(kindName: KindName, id: number): Promise<Row> {
    const [row] = await rowsByIds(this.tx, kinds[kindName], [id]);
    return row ?? refuse('', `there is no such ${kindName} any more`, 'missing');
  }

  /** For a site that names no portal. @throws {Refusal} when there is more than one to choose from. */
  async onlyPortal(): Promise<string> {
    const rows = await this.tx.selectFrom('portals').select('name').where('archivedAt', 'is', null).limit(2).execute();
    const [only, second] = rows;
    if (!only) return refuse('portal', 'there is no portal yet: `portal init` makes one');
    return second ? refuse('portal', 'expected a name: there is more than one portal') : only.name;
  }

  async #inUse(kind: Kind, reference: string, id: number): Promise<Row[]> {
    const column = sql.ref(`${reference}Id`);
    const query = sql<Row>`select * from ${sql.table(kind.table)} where ${column} = ${id} and archived_at is null`;
    return (await query.execute(this.tx)).rows;
  }

  async #refuseUsed(kindName: KindName, other: Kind, users: readonly Row[]): Promise<never> {
    const labels = await labelsOf(
      this.tx,
      other,
      users.slice(0, 3).map(({ id }) => id),
    );
    const more = users.length > 3 ? ` and ${users.length - 3} more` : '';
    return refuse(
      '',
      `this ${kindName} is used by ${other.name} ${[...labels.values()].join(', ')}${more}`,
      'conflict',
    );
  }

  /** The database would refuse too, but not in words that name the field. */
  async #refuseTaken(kind: Kind, fields: FactRecord, self: number | null): Promise<void> {
    const [first = '', second] = kind.label;
    const label = second === undefined ? fields[first] : `${fields[first]}/${fields[second]}`;
    const named: [string, unknown, Kind][] = [[second ?? first, label, kind]];
    for (const name of kind.unique ?? []) named.push([name, fields[name], { ...kind, label: [name] }]);
    for (const [field, value, by] of named) {
      const other = typeof value === 'string' ? await findRow(this.tx, by, value) : undefined;
      if (!other || other.id === self) continue;
      const archived = other.archivedAt === null ? '' : ', which is archived: purge it first';
      refuse(field, `'${value}' is taken by another ${kind.name}${archived}`, 'conflict');
    }
  }

  #note(kind: KindName, id: number, before: Row | null, after: Row | null): void {
    const key = `${kind}:${id}`;
    const first = this.#changes.get(key);
    this.#changes.set(key, { kind, id, before: first ? first.before : before, after });
  }
}
