import { settled, trafficFlows } from './invariants.ts';
import type { Scenario } from './scenarios.ts';
import { fairWeather, World, type WorldOptions } from './world.ts';

export interface Outcome {
  readonly problems: readonly string[];
  readonly trace: readonly string[];
  readonly datagrams: number;
}

const defaults: WorldOptions = {
  weather: fairWeather,
  nat: false,
  endpoint: {},
  peer: {},
  bothCall: false,
  trace: false,
};

/** One scenario in one world; the same seed always gives the same outcome. */
export function play(scenario: Scenario, seed: number, trace: boolean): Outcome {
  const world = new World(seed, { ...defaults, ...scenario.options, trace });
  try {
    scenario.play(world);
    world.note('-- fair weather');
    world.internet.weather = fairWeather;
    world.run(scenario.settleSeconds);
    settled(world);
    trafficFlows(world);
  } catch (error) {
    world.problems.push(`crash: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return { problems: world.problems, trace: world.trace, datagrams: world.internet.sent };
}
