import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** One wrong field: its path as a person would write it, and what was expected there. */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

/** A configuration that is refused; `message` holds one line per wrong field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('\n'));
    this.problems = problems;
  }
}

export function problemsOf(error: z.ZodError, value: unknown): Problem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, value));
}

function problemsOfIssue(issue: Issue, value: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: pathText([...issue.path, key]), message: 'unknown field' }));
  }
  return [{ field: pathText(issue.path), message: sentence(issue, found(value, issue.path)) }];
}

function sentence(issue: Issue, instead: string): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${typeNames[issue.expected] ?? issue.expected}${instead}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}${instead}`;
    case 'too_small':
      return issue.origin === 'int' || issue.origin === 'number'
        ? `expected at least ${issue.minimum}${instead}`
        : issue.message;
    case 'too_big':
      return issue.origin === 'int' || issue.origin === 'number'
        ? `expected at most ${issue.maximum}${instead}`
        : issue.message;
    default:
      return issue.message;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text in quotes',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list in brackets',
  object: 'a section with fields',
};

/** Long values and sections are not repeated: what is shown may stand next to secrets. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a section';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

/** What stands in the field instead, unless it could be a secret. */
function found(value: unknown, path: readonly PropertyKey[]): string {
  const there = valueAt(value, path);
  if (there === undefined) return '; it is missing';
  return secretFields.includes(String(path.at(-1))) ? '' : `, found ${shown(there)}`;
}

const secretFields: readonly string[] = ['psk', 'secret'];

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
}

/** `peers[0].name`, as in the error messages of everyday languages. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
