import { loadConfig } from '../config/files.ts';
import { ConfigError } from '../config/problems.ts';

export function checkCommand(file: string, options: { json?: boolean }): void {
  const problems = problemsIn(file);
  if (options.json) process.stdout.write(`${JSON.stringify({ file, ok: problems.length === 0, problems }, null, 2)}\n`);
  else if (problems.length === 0) process.stdout.write(`${file}: right\n`);
  for (const { field, message } of options.json ? [] : problems) {
    process.stderr.write(field === '' ? `${message}\n` : `${file}: ${field}: ${message}\n`);
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function problemsIn(file: string): ConfigError['problems'] {
  try {
    loadConfig(file);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
