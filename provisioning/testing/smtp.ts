/** A mail server that keeps what it is given (RFC 5321, as much of it as a sender needs). */
import { createServer, type Server, type Socket } from 'node:net';

export interface MailServer {
  readonly port: number;
  /** Whole messages, with the addresses that they were for. */
  readonly received: { readonly to: string[]; readonly text: string }[];
  close(): void;
}

export async function startMailServer(): Promise<MailServer> {
  const received: { to: string[]; text: string }[] = [];
  const server: Server = createServer((socket) => converse(socket, received));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  return { port, received, close: () => server.close() };
}

function converse(socket: Socket, received: { to: string[]; text: string }[]): void {
  let rest = '';
  let body: string[] | null = null;
  let to: string[] = [];
  const heard = (line: string): string => {
    if (body && line !== '.') {
      body.push(line);
      return '';
    }
    if (body) {
      received.push({ to, text: body.join('\n') });
      [body, to] = [null, []];
    }
    const recipient = /^RCPT TO:<(.*)>/i.exec(line)?.[1];
    if (recipient !== undefined) to.push(recipient);
    if (line === 'DATA') body = [];
    return line === 'DATA' ? '354 go on\r\n' : line === 'QUIT' ? '221 bye\r\n' : '250 fine\r\n';
  };
  socket.on('error', () => undefined);
  socket.write('220 test\r\n');
  socket.on('data', (chunk) => {
    const lines = (rest + chunk.toString()).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) socket.write(heard(line));
  });
}
