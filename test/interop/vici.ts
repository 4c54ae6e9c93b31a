/** A section of `swanctl --raw --pretty` output: values, lists and sections by name. */
export interface Section {
  readonly [name: string]: string | readonly string[] | Section | undefined;
}

/** Parses the messages of `swanctl --raw --pretty`. Each begins with a line `NAME event {` or `NAME reply {`. */
export function parseVici(text: string): Section[] {
  const lines = text.split('\n').map((line) => line.trim());
  const messages: Section[] = [];
  const cursor = { at: 0 };
  while (cursor.at < lines.length) {
    const line = lines[cursor.at] ?? '';
    cursor.at += 1;
    if (line.endsWith('{')) messages.push(parseSection(lines, cursor));
  }
  return messages;
}

function parseSection(lines: readonly string[], cursor: { at: number }): Section {
  const section: Record<string, string | string[] | Section> = {};
  while (cursor.at < lines.length) {
    const line = lines[cursor.at] ?? '';
    cursor.at += 1;
    if (line === '}') break;
    const [name = '', value = ''] = split(line);
    if (line.endsWith('{')) section[line.slice(0, -1).trim()] = parseSection(lines, cursor);
    else if (value === '[') section[name] = parseList(lines, cursor);
    else if (name !== '') section[name] = value;
  }
  return section;
}

function parseList(lines: readonly string[], cursor: { at: number }): string[] {
  const list: string[] = [];
  while (cursor.at < lines.length) {
    const line = lines[cursor.at] ?? '';
    cursor.at += 1;
    if (line === ']') break;
    list.push(line);
  }
  return list;
}

function split(line: string): string[] {
  const at = line.indexOf('=');
  return at < 0 ? [line] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

export function isSection(value: Section[string]): value is Section {
  return typeof value === 'object' && !Array.isArray(value);
}
