import { names } from '../subjects.ts';

export interface Style {
  readonly color: string;
  /** Of its line. */
  readonly width: number;
  readonly dash?: string;
}

/** moat stands out, plain forwarding is the ceiling, the others can be told apart by the colour-blind. */
const styles: Readonly<Record<string, Style>> = {
  [names.plain]: { color: '#1b2733', width: 1.8, dash: '5 4' },
  [names.moat]: { color: '#0a66c2', width: 3.2 },
  [names.strongswan]: { color: '#c8501e', width: 1.8 },
  [names.wireguard13]: { color: '#14804a', width: 1.8 },
  [names.wireguard12]: { color: '#7cc29a', width: 1.8 },
  [names.openvpn]: { color: '#c99700', width: 1.8 },
  [names.nebula]: { color: '#7b4fc9', width: 1.8 },
  [names.fastd]: { color: '#d6468f', width: 1.8 },
};

export const styleOf = (name: string): Style => styles[name] ?? { color: '#8a97a5', width: 1.8 };

/** In a chart of bars only moat and the ceiling have a colour: there names stand beside. */
export const barColorOf = (name: string): string =>
  name === names.moat ? '#0a66c2' : name === names.plain ? '#4a5866' : '#b3c0cd';
