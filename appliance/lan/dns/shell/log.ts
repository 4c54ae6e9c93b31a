/** One JSON line an event, to standard output, where the supervisor or journald bounds it. */
export type Log = (event: string, fields?: Readonly<Record<string, unknown>>) => void;

export function logTo(stream: NodeJS.WritableStream): Log {
  return (event, fields = {}) => {
    stream.write(`${JSON.stringify({ time: new Date().toISOString(), event, ...fields })}\n`);
  };
}
