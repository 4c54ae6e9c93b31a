import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type NtpConfigInput, ntpConfig } from '../../../appliance/config/ntp.ts';
import type { NtpStatus } from '../../../appliance/lan/ntp/service.ts';
import type { FromService, ToService } from '../../../appliance/lib/messages.ts';
import { lanPeers } from '../dns/recipe.ts';
import { addresses, until, World } from '../dns/world.ts';
import { playSteps, type RingStep, wantedSteps } from '../ring.ts';
import { root } from '../roots.ts';
import { apart } from './estimates.ts';

/**
 * A reference clock (corp), our NTP service (home) and a client (pc): three chronyd, ours under our service. All run
 * with -x: nothing here ever touches the machine's clock.
 */
const serviceMain = fileURLToPath(new URL('../../../appliance/lan/ntp/main.ts', import.meta.url));
const reference = addresses.bind;
let world: World;

/** Our service, over IPC as the supervisor speaks to it. */
class Service {
  readonly #process: ChildProcess;
  readonly #heard: FromService[] = [];
  #asked = 0;

  constructor() {
    const command = ['ip', 'netns', 'exec', world.namespace('home'), process.execPath, serviceMain];
    this.#process = world.spawn(command, 'moat-ntp', true);
    this.#process.on('message', (message) => this.#heard.push(message as FromService));
  }

  async configure(changes: Partial<NtpConfigInput>): Promise<void> {
    const revision = ++this.#asked;
    const slice = ntpConfig.parse({ ...baseConfig(), ...changes });
    this.#send({ kind: 'configure', revision, slice });
    const answer = await this.#hear((message) => 'revision' in message && message.revision === revision);
    assert.equal(answer.kind, 'configured', JSON.stringify(answer));
  }

  async status(): Promise<NtpStatus> {
    const id = ++this.#asked;
    this.#send({ kind: 'describe', id });
    const answer = await this.#hear((message) => message.kind === 'status' && message.id === id);
    return (answer as { status: NtpStatus }).status;
  }

  async probe(): Promise<{ ok: boolean; detail: string }> {
    const id = ++this.#asked;
    this.#send({ kind: 'probe', id });
    const answer = await this.#hear((message) => message.kind === 'probed' && message.id === id);
    return answer as unknown as { ok: boolean; detail: string };
  }

  #send(message: ToService): void {
    this.#process.send(message);
  }

  async #hear(matches: (message: FromService) => boolean): Promise<FromService> {
    return (await until('an answer of the service', async () => this.#heard.find(matches))).value;
  }
}

const baseConfig = (): NtpConfigInput => ({
  listen: [addresses.box],
  interface: 'lan',
  clients: ['192.168.77.0/24'],
  sources: [{ host: reference, minPoll: 0, maxPoll: 0 }],
  steersClock: false,
  stateDirectory: `${world.folder}/ntp`,
  stateDirectoryInside: `${world.inside}/ntp`,
  user: 'root',
  daemonCommand: ['chroot', world.root, '/usr/sbin/chronyd'],
  clientCommand: ['chroot', world.root, '/usr/bin/chronyc'],
});

/** A chronyd that is not ours, by the lines of its configuration. */
function startChronyd(host: 'corp' | 'pc', lines: readonly string[]): ChildProcess {
  const folder = `${host}-ntp`;
  mkdirSync(`${world.folder}/${folder}`, { mode: 0o750 });
  const own = [`pidfile ${world.inside}/${folder}/pid`, 'cmdport 0', `bindcmdaddress ${world.inside}/${folder}/sock`];
  writeFileSync(`${world.folder}/${folder}/conf`, [...lines, ...own, ''].join('\n'));
  return world.start(host, ['/usr/sbin/chronyd', '-d', '-x', '-u', 'root', '-f', `${world.inside}/${folder}/conf`]);
}

/** One question of an independent client; -Q only measures. */
async function asks(host: 'corp' | 'pc', server: string): Promise<boolean> {
  const query = ['/usr/sbin/chronyd', '-Q', '-t', '2', '-U', `server ${server} iburst maxsamples 1`];
  return (await world.run(host, query)).code === 0;
}

let service: Service;
let referenceProcess: ChildProcess | undefined;

const steps: readonly RingStep[] = [
  {
    name: 'no-source',
    play: async () => {
      const began = performance.now();
      await service.configure({ sources: [] });
      await until('an answer', async () => (await service.probe()).ok);
      const took = performance.now() - began;
      const { tracking, sentence } = await service.status();
      assert.equal(tracking?.stratum, 10);
      return `stratum 10 after ${took.toFixed(0)} ms: ${sentence}`;
    },
  },
  {
    name: 'follows-reference',
    play: async () => {
      referenceProcess = startChronyd('corp', ['local stratum 3', 'allow']);
      await service.configure({});
      const { took, value } = await until('selection', async () => {
        const status = await service.status();
        // Two questions to chronyd: the one may be answered before, the other after the selection.
        return status.sources.some(({ state }) => state === 'selected') && status.tracking?.stratum === 4 && status;
      });
      return `${value.sentence} after ${took.toFixed(0)} ms`;
    },
  },
  {
    name: 'client-agrees',
    needs: ['follows-reference'],
    play: async () => {
      const poll = 'iburst minpoll 0 maxpoll 0';
      startChronyd('pc', [`server ${addresses.box} ${poll}`, `server ${reference} ${poll}`]);
      const { value: difference } = await until(
        'both clocks heard, and less than 1 ms apart',
        async () => {
          const ask = ['chronyc', '-h', `${world.inside}/pc-ntp/sock`, '-c', '-n', 'sourcestats'];
          const found = apart((await world.run('pc', ask)).stdout, addresses.box, reference);
          return found !== undefined && found < 0.001 && found;
        },
        30_000,
      );
      const text = `the client sees us and the reference ${(difference * 1e6).toFixed(0)} us apart`;
      return { text, figures: { apartMicroseconds: difference * 1e6 } };
    },
  },
  {
    name: 'lan-only',
    needs: ['follows-reference'],
    play: async () => {
      assert.ok(await asks('pc', addresses.box));
      assert.ok(!(await asks('corp', '10.9.0.254')), 'the wild side gets no answer');
      assert.ok(!(await asks('corp', addresses.box)), 'nor through the LAN address');
      return 'the LAN is answered, the wild side is not';
    },
  },
  {
    name: 'restart',
    needs: ['follows-reference'],
    play: async () => {
      const { stdout } = await world.run('home', ['cat', `${world.inside}/ntp/chronyd.pid`]);
      process.kill(Number(stdout), 'SIGKILL');
      const { took } = await until('an answer again', async () => (await service.probe()).ok);
      const { restarts } = await service.status();
      assert.equal(restarts, 1);
      return `chronyd killed, serving again after ${took.toFixed(0)} ms`;
    },
  },
  {
    name: 'reference-gone',
    needs: ['follows-reference'],
    play: async () => {
      assert.ok(referenceProcess);
      await world.stop(referenceProcess);
      const { value } = await until(
        'reach 0',
        async () => {
          const status = await service.status();
          return status.sources.every(({ reach }) => reach === 0) && status;
        },
        20_000,
      );
      assert.ok(await asks('pc', addresses.box), 'served on');
      return value.sentence;
    },
  },
  {
    name: 'absurd-answer',
    play: async () => {
      await service.configure({
        daemonCommand: ['chroot', world.root, 'faketime', '-f', '+5s', '/usr/sbin/chronyd'],
        sources: [],
      });
      const { value } = await until('the verdict', async () => {
        const probed = await service.probe();
        return !probed.ok && probed.detail.includes('away') && probed;
      });
      return value.detail;
    },
  },
  {
    name: 'clock-untouched',
    play: async () => {
      const moved = Math.abs(Date.now() - performance.now() - wallBefore);
      assert.ok(moved < 500, `${moved} ms`);
      return "nobody moved this machine's clock";
    },
  },
];

const wallBefore = Date.now() - performance.now();
const wanted = wantedSteps('ntp', steps);
world = await World.create(await root(lanPeers), 'ntp');
service = new Service();
try {
  await playSteps('ntp', steps, wanted);
} finally {
  await world.destroy();
}
