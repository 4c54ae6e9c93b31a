/** Configurations as people see them: what opens something is not among it. */
import { type Difference, differences } from './merge.ts';

const secretNames = new Set(['secret', 'psk']);
const hidden = '[secret]';

/** The same value with every secret in it told as `[secret]`. */
export function concealed<T>(value: T): T {
  const text = JSON.stringify(value, (name, inner: unknown) => (secretNames.has(name) ? hidden : inner));
  return text === undefined ? value : (JSON.parse(text) as T);
}

/** Of two configurations. A secret that changed is told to have changed, and no more. */
export function shownDifferences(before: unknown, after: unknown): Difference[] {
  return differences(before, after).map(({ path, before: was, after: is }) => {
    const isSecret = secretNames.has(path.slice(path.lastIndexOf('.') + 1));
    const told = (value: unknown) => (isSecret && value !== undefined ? hidden : concealed(value));
    return { path, before: told(was), after: told(is) };
  });
}
