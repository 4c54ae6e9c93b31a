/** What the box is made of, by systeminformation, in a process of its own: it starts 59 others, and stays in memory for nothing afterwards. */
import { type ChildProcess, execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Inventory {
  readonly system: { readonly manufacturer: string; readonly model: string };
  readonly cpu: { readonly brand: string; readonly cores: number };
  readonly memoryOctets: number;
  readonly disks: readonly { readonly name: string; readonly type: string; readonly size: number }[];
  readonly interfaces: readonly {
    readonly iface: string;
    readonly mac: string;
    readonly speed: number | null;
    readonly operstate: string;
  }[];
  readonly temperatureCelsius: number | null;
  readonly os: { readonly distro: string; readonly release: string; readonly kernel: string; readonly arch: string };
}

/** Takes seconds on a slow board. */
export async function readInventory(): Promise<Inventory> {
  const { default: si } = await import('systeminformation');
  const [system, cpu, memory, disks, network, temperature, os] = await Promise.all([
    si.system(),
    si.cpu(),
    si.mem(),
    si.diskLayout(),
    si.networkInterfaces(),
    si.cpuTemperature(),
    si.osInfo(),
  ]);
  return {
    system: { manufacturer: system.manufacturer, model: system.model },
    cpu: { brand: `${cpu.manufacturer} ${cpu.brand}`.trim(), cores: cpu.cores },
    memoryOctets: memory.total,
    disks: disks.map(({ name, type, size }) => ({ name, type, size })),
    interfaces: [network].flat().map(({ iface, mac, speed, operstate }) => ({ iface, mac, speed, operstate })),
    temperatureCelsius: temperature.main,
    os: { distro: os.distro, release: os.release, kernel: os.kernel, arch: os.arch },
  };
}

const longestSentence = 300;
const gigabytes = (octets: number) => `${(octets / 1e9).toFixed(octets < 10e9 ? 1 : 0)} GB`;

/** One line for people, empty parts left out. */
export function hardwareSentence({ system, cpu, memoryOctets, disks, interfaces, os }: Inventory): string {
  const ports = interfaces.filter(({ iface, mac }) => mac !== '' && iface !== 'lo').length;
  const parts = [
    `${system.manufacturer} ${system.model}`.trim(),
    `${cpu.brand} (${cpu.cores} ${cpu.cores === 1 ? 'core' : 'cores'})`.trim(),
    `${gigabytes(memoryOctets)} of memory`,
    ...disks.slice(0, 4).map(({ name, type, size }) => `${gigabytes(size)} ${type || 'disk'} ${name}`.trim()),
    `${ports} ${ports === 1 ? 'port' : 'ports'}`,
    `${os.kernel} ${os.arch}`,
  ];
  return parts
    .filter((part) => part !== '')
    .join(', ')
    .replace(/\p{C}/gu, ' ')
    .slice(0, longestSentence);
}

/** Of the first sensor; null where there is none. */
export function temperatureCelsius(file = '/sys/class/thermal/thermal_zone0/temp'): number | null {
  try {
    const thousandths = Number(readFileSync(file, 'latin1'));
    return Number.isFinite(thousandths) ? thousandths / 1000 : null;
  } catch {
    return null;
  }
}

/** Whoever waits for the tunnel has the processor first. */
const lookAfterMs = 20_000;
const patienceMs = 60_000;

/** Looks once in a life: hardware does not change under a running box. */
export class Hardware {
  #timer: NodeJS.Timeout | undefined;
  #child: ChildProcess | null = null;
  #sentence: string | null = null;

  /** Null as long as nobody has looked. */
  get sentence(): string | null {
    return this.#sentence;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#look(), lookAfterMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }

  #look(): void {
    const program = fileURLToPath(new URL('../main.ts', import.meta.url));
    const words = ['--disable-warning=ExperimentalWarning', program, 'hardware', '--json'];
    this.#child = execFile(process.execPath, words, { timeout: patienceMs }, (error, stdout) => {
      this.#child = null;
      if (error === null) this.#sentence = hardwareSentence(JSON.parse(stdout) as Inventory);
    });
    if (this.#child.pid !== undefined) setPriority(this.#child.pid, 19);
  }
}
