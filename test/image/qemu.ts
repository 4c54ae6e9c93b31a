/** The command line of a machine: software emulation (TCG), one disk, one TAP to the provider and one to the LAN. */
import { copyFileSync, existsSync } from 'node:fs';
import type { Disk } from './disk.ts';
import { tapWild, tapWork } from './street.ts';

export type Firmware = 'bios' | 'uefi';
export type Board = 'pc' | 'arm64-efi';

export interface MachineOptions {
  readonly board?: Board;
  /** Of a PC; the other boards have UEFI. */
  readonly firmware?: Firmware;
  readonly memoryMib?: number;
  /** A second disk, as a USB stick would be: raw. */
  readonly stick?: string;
  /** Memory of a machine that was put to sleep (`Box.sleep`), to go on from. */
  readonly awake?: string;
  /** What its battery says at power on, such as `2031-01-01T00:00:00`; without it, what time it is. */
  readonly clock?: string;
}

/**
 * An emulated processor does not speculate, and the kernel is told so by a model that never did: its detours around speculation
 * would cost a third of every start and protect nothing here. Everything else is what `max` has.
 */
const pcProcessor = 'max,vendor=GenuineIntel,family=6,model=28';

export function qemu(disk: Disk, options: MachineOptions, monitor: string): string[] {
  const { board = 'pc', memoryMib = 1024, stick, awake, clock } = options;
  return [
    ...(board === 'pc' ? pc(disk, options.firmware ?? 'bios') : arm(disk)),
    ...[
      '-accel',
      'tcg,tb-size=512,thread=multi',
      '-smp',
      process.env.MOAT_IMAGE_PROCESSORS ?? '1',
      '-m',
      `${memoryMib}`,
    ],
    ...['-display', 'none', '-serial', 'stdio', '-monitor', `unix:${monitor},server=on,wait=off`],
    // Writes reach the host's page cache in the order and at the time the guest asks for: killing QEMU is a power cut
    // for the guest's memory, and what the guest flushed is there.
    ...['-drive', `file=${disk.path},format=${disk.format},if=none,id=disk,cache=writeback`],
    ...['-device', 'virtio-blk-pci,drive=disk,bootindex=0'],
    ...(stick === undefined ? [] : usbStick(stick)),
    ...['-netdev', `tap,id=wild,ifname=${tapWild},script=no,downscript=no`],
    ...['-device', 'virtio-net-pci,netdev=wild,mac=02:00:00:00:00:01,romfile='],
    ...['-netdev', `tap,id=work,ifname=${tapWork},script=no,downscript=no`],
    ...['-device', 'virtio-net-pci,netdev=work,mac=02:00:00:00:00:02,romfile='],
    ...['-device', 'virtio-rng-pci'],
    ...(clock === undefined ? [] : ['-rtc', `base=${clock}`]),
    ...(awake === undefined ? [] : ['-incoming', `exec:cat ${awake}`]),
  ];
}

function pc(disk: Disk, firmware: Firmware): string[] {
  const machine = ['qemu-system-x86_64', '-machine', 'q35', '-cpu', pcProcessor];
  const watchdog = ['-device', 'i6300esb', '-action', 'watchdog=reset'];
  const code = '/usr/share/OVMF/OVMF_CODE_4M.fd';
  const variables = '/usr/share/OVMF/OVMF_VARS_4M.fd';
  return [...machine, ...watchdog, ...(firmware === 'uefi' ? uefi(disk, code, variables) : [])];
}

function arm(disk: Disk): string[] {
  const machine = ['qemu-system-aarch64', '-machine', 'virt', '-cpu', 'max,pauth-impdef=on'];
  const code = '/usr/share/AAVMF/AAVMF_CODE.fd';
  return [...machine, ...uefi(disk, code, '/usr/share/AAVMF/AAVMF_VARS.fd')];
}

function usbStick(path: string): string[] {
  const drive = ['-drive', `file=${path},format=raw,if=none,id=stick`];
  return [...drive, '-device', 'qemu-xhci', '-device', 'usb-storage,drive=stick,removable=on'];
}

/** The firmware's own variables are kept beside the disk: what a machine remembers over restarts. */
function uefi(disk: Disk, code: string, template: string): string[] {
  const variables = `${disk.path}.vars`;
  if (!existsSync(variables)) copyFileSync(template, variables);
  return [
    ...['-drive', `if=pflash,format=raw,readonly=on,file=${code}`],
    ...['-drive', `if=pflash,format=raw,file=${variables}`],
  ];
}
