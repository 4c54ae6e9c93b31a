/** What a schema never expected, made from the schema itself: a field that is added is fuzzed from that day on. */
import fc from 'fast-check';
import type { z } from 'zod';

const hostile = fc.constantFrom<unknown>(
  '',
  "'; drop table customers; --",
  '" or 1=1',
  '%',
  '_',
  '\\',
  '<script>alert(1)</script>',
  'a\r\nSet-Cookie: x=1',
  '../../etc/passwd',
  '\u0000',
  '\ud800',
  '__proto__',
  'constructor',
  '🏰'.repeat(100),
  'x'.repeat(5000),
  null,
  true,
  -1,
  1e308,
  0.5,
  [],
  {},
  [[[[]]]],
  { toString: 1 },
);

export const hostileText = hostile.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));

export const hostileValue = fc.oneof(
  { weight: 3, arbitrary: hostile },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
);

/** The part of zod's own description of a schema that is walked here. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly entries?: Readonly<Record<string, string>>;
}

/** Values near enough to right ones that they come through the first gate. `words`: texts that mean something to the portal. */
export function nearly(schema: z.ZodType, words: readonly string[]): fc.Arbitrary<unknown> {
  const right = fitting(schema, words);
  return fc.oneof({ weight: 2, arbitrary: right }, { weight: 1, arbitrary: hostileValue });
}

/** The names of an object schema's fields; none for any other schema. */
export function fieldsOf(schema: z.ZodType): readonly string[] {
  return Object.keys(definitionOf(schema).shape ?? {});
}

function definitionOf(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition;
}

function fitting(schema: z.ZodType, words: readonly string[]): fc.Arbitrary<unknown> {
  const { type, shape, innerType, in: before, element, options, entries } = definitionOf(schema);
  const inner = innerType ?? before;
  if (inner) return fc.oneof(fitting(inner, words), fc.constant(undefined), fc.constant(null));
  if (shape) {
    const fields = Object.entries(shape).map(([name, field]) => [name, nearly(field, words)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  }
  if (element) return fc.array(nearly(element, words), { maxLength: 3 });
  if (options) return fc.oneof(...options.map((option) => fitting(option, words)));
  if (entries) return fc.constantFrom(...Object.values(entries));
  if (type === 'boolean') return fc.boolean();
  if (type === 'number') return fc.oneof(fc.nat(1000), fc.integer(), fc.double());
  if (type === 'record') return fc.dictionary(fc.constantFrom(...words, '__proto__'), hostileValue, { maxKeys: 6 });
  return fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'grapheme', maxLength: 20 }));
}
