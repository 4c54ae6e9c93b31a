/** A box: QEMU (software emulation) with the image on its disk, one TAP to the provider and one to the LAN. */
import { copyFileSync, existsSync } from 'node:fs';
import { Child } from './child.ts';
import type { Disk } from './disk.ts';
import { type Street, tapWild, tapWork } from './street.ts';

export type Firmware = 'bios' | 'uefi';

/** Software emulation on a shared core: what takes seconds on hardware takes minutes at worst. */
export const bootSeconds = 600;
const console0 = 'CONSOLE-READY';

export interface BoxOptions {
  readonly firmware?: Firmware;
  readonly memoryMib?: number;
}

export class Box {
  readonly console: Child;
  #from = 0;

  private constructor(console: Child) {
    this.console = console;
  }

  static start(street: Street, disk: Disk, log: string, options: BoxOptions = {}): Box {
    return new Box(new Child(street.inside('hub', qemu(disk, options)), log));
  }

  /** Waits for a line on the console that came after the last one waited for. */
  async see(pattern: RegExp, seconds = bootSeconds): Promise<RegExpExecArray> {
    const found = await this.console.match(pattern, seconds, this.#from);
    this.#from += found.index + found[0].length;
    return found;
  }

  /** Seconds after power on by the box's own clock, when it says that it does its work. */
  async works(seconds = bootSeconds): Promise<{ slot: string; at: number }> {
    const [, slot = '', at = ''] = await this.see(/moat: works in slot ([ab]) at (\d+) s[^\n]*\n/, seconds);
    return { slot, at: Number(at) };
  }

  /** The box's own key, in base64. */
  async publicKey(): Promise<string> {
    return (await this.see(/moat: public key (\S+)\n/))[1] ?? '';
  }

  /** What a command says in the box's own shell (needs `console = true` in moat.toml). */
  async shell(command: string, seconds = 60): Promise<string> {
    const mark = `${console0}-${Math.random().toString(36).slice(2)}`;
    // The mark is put together by the shell, so that the echo of the command is not taken for its end.
    this.console.say(
      `echo '${mark.slice(0, 8)}''${mark.slice(8)}:'; ${command}; echo '${mark.slice(0, 8)}''${mark.slice(8)};'$?`,
    );
    const found = await this.see(new RegExp(`${mark}:\\n([\\s\\S]*?)${mark};(\\d+)`), seconds);
    return found[1] ?? '';
  }

  /** Pulls the plug. */
  cut(): Promise<void> {
    return this.console.kill('SIGKILL');
  }
}

function qemu(disk: Disk, { firmware = 'bios', memoryMib = 1024 }: BoxOptions): string[] {
  return [
    'qemu-system-x86_64',
    ...['-accel', 'tcg,tb-size=256', '-machine', 'q35', '-cpu', 'max', '-smp', '1', '-m', `${memoryMib}`],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
    ...(firmware === 'uefi' ? uefi(disk) : []),
    // Writes reach the host's page cache in the order and at the time the guest asks for: killing QEMU is a power cut
    // for the guest's memory, and what the guest flushed is there.
    ...['-drive', `file=${disk.path},format=raw,if=virtio,cache=writeback`],
    ...['-netdev', `tap,id=wild,ifname=${tapWild},script=no,downscript=no`],
    ...['-device', 'virtio-net-pci,netdev=wild,mac=02:00:00:00:00:01,romfile='],
    ...['-netdev', `tap,id=work,ifname=${tapWork},script=no,downscript=no`],
    ...['-device', 'virtio-net-pci,netdev=work,mac=02:00:00:00:00:02,romfile='],
    ...['-device', 'virtio-rng-pci', '-device', 'i6300esb', '-action', 'watchdog=reset'],
  ];
}

/** The firmware's own variables are kept beside the disk: what a machine remembers over restarts. */
function uefi(disk: Disk): string[] {
  const variables = `${disk.path}.vars`;
  if (!existsSync(variables)) copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', variables);
  return [
    ...['-drive', 'if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd'],
    ...['-drive', `if=pflash,format=raw,file=${variables}`],
  ];
}
