import { readFileSync } from 'node:fs';
import { parseDhcpSlice } from '../../config/dhcp.ts';

/**
 * A process of its own that reads a slice from stdin and writes the parsed one, or why it is refused, to stdout:
 * the schema library would stay in the memory of the service for ever, and is needed for a moment.
 */
function validate(text: string): object {
  try {
    return { slice: parseDhcpSlice(JSON.parse(text)) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

process.stdout.write(JSON.stringify(validate(readFileSync(0, 'utf8'))));
