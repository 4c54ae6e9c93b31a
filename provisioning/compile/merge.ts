type Section = Readonly<Record<string, unknown>>;

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The later one wins, section by section; lists are replaced whole, because half a list is nobody's intention. */
export function merge(...layers: readonly Section[]): Section {
  const merged = new Map<string, unknown>();
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) {
      const below = merged.get(key);
      merged.set(key, isSection(below) && isSection(value) ? merge(below, value) : value);
    }
  }
  // Never by assignment: `__proto__` is a key like any other here.
  return Object.fromEntries(merged);
}

export interface Difference {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** The smallest sections and values in which two JSON values differ; `undefined` where there was or is nothing. */
export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (isSection(before) && isSection(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => differences(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
}
