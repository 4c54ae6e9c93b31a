/** `moat enroll TOKEN`: proves the code to the portal and fetches the first configuration; `moat run` takes it from there. */
import { loadSource } from '../config/files.ts';
import { type Answer, PortalCaller } from '../supervisor/portal-call.ts';
import { PortalFiles, parseToken } from '../supervisor/portal-files.ts';
import { configAnswer, enrolmentProblem } from '../supervisor/portal-turns.ts';

interface EnrollOptions {
  readonly state: string;
  readonly key?: string;
  readonly json?: boolean;
}

/** Nothing is kept unless the portal takes the code. @throws {Error} with a sentence. */
export async function enrollCommand(token: string, options: EnrollOptions): Promise<void> {
  const files = new PortalFiles(options.state);
  const { door, code } = parseToken(token);
  const key = files.key(options.key ?? null);
  const caller = new PortalCaller(door.apiKey);
  try {
    const [url = ''] = door.apiUrls;
    const body = JSON.stringify(code === '' ? {} : { code });
    const path = '/device/1/enroll';
    const enrolled = await caller.call(url, key, { method: 'POST', path, body }).catch(unreached(url));
    if (enrolled.status !== 200) throw failure(enrolmentProblem(enrolled));
    const { device } = JSON.parse(enrolled.text) as { device: string };
    const answer = await caller.call(url, key, { method: 'GET', path: '/device/1/config' }).catch(unreached(url));
    const heard = configAnswer(answer);
    if (heard.kind === 'configuration') {
      // A box that could not run it shall hear so now, with the field.
      loadSource({ path: files.configFile, text: heard.text });
      files.saveConfig(heard.text);
    }
    // Last: a `moat run` that sees it finds the rest.
    files.join(token);
    say(options, device, heard.kind === 'configuration' ? heard.revision : null);
  } finally {
    caller.hangUp();
  }
}

function say({ state, json }: EnrollOptions, device: string, revision: number | null): void {
  const text = `this box is ${device} now; \`moat run --state ${state}\` follows its portal\n`;
  process.stdout.write(json ? `${JSON.stringify({ device, revision, state })}\n` : text);
}

function unreached(url: string): (error: Error) => Answer {
  return (error) => {
    throw failure(`${url} cannot be asked: ${error.message}`);
  };
}

function failure(sentence: string): Error {
  return Object.assign(new Error(sentence), { exitCode: 1 });
}
