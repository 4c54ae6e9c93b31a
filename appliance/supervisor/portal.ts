/**
 * The box's side of provisioning (provisioning/device-api.md). One call at a time, for ever: enrol, ask for a configuration, report, ask for a release;
 * then wait for a wake-up, or hold the question where none comes through. A configuration goes the way of every other (trial,
 * proof, rollback); a portal that is away changes nothing, for as long as it is away.
 */
import type { KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { loadSource } from '../config/files.ts';
import { ConfigError } from '../config/problems.ts';
import { Account, type Managed } from './portal-account.ts';
import type { Answer, Call } from './portal-call.ts';
import { PortalClock } from './portal-clock.ts';
import { PortalDoors } from './portal-doors.ts';
import type { Enrolment, PortalFiles } from './portal-files.ts';
import { Releases, releaseAskMs } from './portal-release.ts';
import {
  configAnswer,
  enrolmentProblem,
  keyIsOld,
  learnedUrls,
  movedDoors,
  pauseMs,
  wakeTicket,
} from './portal-turns.ts';
import { helloAnswerMs, WakeListener } from './portal-wake.ts';

export interface PortalParts {
  readonly files: PortalFiles;
  readonly managed: Managed;
  readonly log: Logger;
  /** A key that the box has from elsewhere (the factory's), used for the first enrolment. */
  readonly factoryKeyFile: string | null;
  /** Milliseconds until a hello counts as unanswered; more where a machine is busier than any box. */
  readonly helloAnswerMs?: number;
  /** Milliseconds between two questions for a release. */
  readonly releaseAskMs?: number;
}

const reportMs = 60_000;
const heldSeconds = 50;
const unmanagedPollMs = 1000;
const watchMs = 500;
const renewAgainMs = 3_600_000;
const configPath = '/device/1/config';

export class PortalClient {
  readonly #parts: PortalParts;
  readonly #account: Account;
  readonly #releases: Releases;
  readonly #clock: PortalClock;
  readonly #doors = new PortalDoors();
  readonly #wakes: WakeListener;
  #key: KeyObject | null = null;
  /** The revision that was fetched last, of this portal and in this life of the process. */
  #have: number | null = null;
  #failures = 0;
  #redirects = 0;
  #news = true;
  #reportAt = 0;
  #renewAt = 0;
  #lastSentence = '';
  #closed = false;
  #rest: (() => void) | null = null;
  #held: AbortController | null = null;
  #watch: NodeJS.Timeout | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: PortalParts) {
    this.#parts = parts;
    this.#account = new Account(parts.managed, () => parts.files.update());
    this.#clock = new PortalClock({ isKept: () => parts.managed.clockIsKept(), log: parts.log });
    this.#releases = new Releases(parts.files, parts.log, parts.releaseAskMs ?? releaseAskMs);
    this.#wakes = new WakeListener(() => this.#poke('news'), parts.helloAnswerMs ?? helloAnswerMs);
  }

  /** A sentence for as long as a box that has taken a token has no configuration; null otherwise. */
  enrolling(): string | null {
    const enrolment = this.#parts.files.enrolment();
    if (!enrolment || this.#parts.files.configText() !== null) return null;
    const why = this.#lastSentence === '' ? '' : `: ${this.#lastSentence}`;
    return `This box is joining its portal at ${enrolment.doors[0]?.apiUrls[0]}${why}.`;
  }

  start(): void {
    this.#watch = setInterval(() => void this.#look(), watchMs);
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    this.#wakes.close();
    this.#held?.abort();
    this.#rest?.();
    this.#doors.hangUp();
    await this.#loop;
  }

  async #run(): Promise<void> {
    let belongs = false;
    while (!this.#closed) {
      const enrolment = this.#parts.files.enrolment();
      if (!enrolment) {
        await this.#pause(unmanagedPollMs);
        continue;
      }
      try {
        // `moat enroll` has fetched a configuration while we ran without.
        if (!belongs && this.#parts.files.configText() !== null) await this.#parts.managed.load();
        belongs = true;
        await this.#turn(enrolment);
        this.#failures = 0;
        this.#lastSentence = '';
      } catch (error) {
        if (!this.#closed) await this.#failed(error as Error);
      }
    }
  }

  async #failed(error: Error & { retrySeconds?: number }): Promise<void> {
    this.#failures += 1;
    this.#news = true;
    this.#doors.hangUp();
    if (error.message !== this.#lastSentence) this.#parts.log.warn({ problem: error.message }, 'portalNotReached');
    this.#lastSentence = error.message;
    await this.#pause(Math.max(pauseMs(this.#failures, Math.random()), (error.retrySeconds ?? 0) * 1000));
  }

  async #turn(enrolment: Enrolment): Promise<void> {
    this.#key ??= this.#parts.files.key(this.#parts.factoryKeyFile);
    if (enrolment.code !== null) return this.#enrol(enrolment, enrolment.code);
    await this.#renewKey(enrolment);
    const due = this.#reportAt - performance.now();
    if (this.#news || (!this.#wakes.works && due > 0)) await this.#fetch(enrolment, due);
    if (performance.now() >= this.#reportAt) await this.#report(enrolment);
    // A restart into another release in the middle of a trial would blame the configuration.
    if (this.#parts.managed.inForce().state === 'settled')
      await this.#releases.follow((call) => this.#ask(enrolment, call));
    if (!this.#wakes.works) return;
    // Ten thousand boxes that each keep a connection would fill the portal's memory.
    this.#doors.hangUp();
    if (!this.#news) await this.#pause(this.#reportAt - performance.now());
  }

  async #enrol(enrolment: Enrolment, code: string): Promise<void> {
    const body = JSON.stringify(code === '' ? {} : { code });
    const answer = await this.#ask(enrolment, { method: 'POST', path: '/device/1/enroll', body });
    if (answer.status !== 200) throw new Error(enrolmentProblem(answer));
    const { device } = JSON.parse(answer.text) as { device: string };
    this.#parts.files.save({ ...enrolment, code: null });
    this.#parts.log.info({ device }, 'enrolled');
  }

  /** `due`: milliseconds until the next report, which a held question must not keep. */
  async #fetch(enrolment: Enrolment, due: number): Promise<void> {
    const held = this.#news || this.#have === null ? 0 : Math.min(heldSeconds, Math.ceil(due / 1000));
    this.#news = false;
    this.#held = held > 0 ? new AbortController() : null;
    let answer: Answer;
    try {
      answer = await this.#ask(enrolment, {
        method: 'GET',
        path: held > 0 ? `${configPath}?wait=${held}` : configPath,
        heldSeconds: held,
        ...(this.#have === null ? {} : { headers: { 'if-none-match': `"${this.#have}"` } }),
        ...(this.#held ? { signal: this.#held.signal } : {}),
      });
    } catch (error) {
      // Cut off by ourselves: there is something to say.
      if (this.#held?.signal.aborted) return;
      throw error;
    } finally {
      this.#held = null;
    }
    await this.#heard(enrolment, answer);
  }

  async #heard(enrolment: Enrolment, answer: Answer): Promise<void> {
    const heard = configAnswer(answer);
    if (heard.kind === 'moved') return this.#follow(enrolment, movedDoors(enrolment.doors, heard.door));
    if (heard.kind === 'no') throw new Error(heard.sentence);
    if (heard.kind === 'failed') throw Object.assign(new Error(heard.sentence), { retrySeconds: heard.retrySeconds });
    this.#redirects = 0;
    this.#wakes.set(answer.address, wakeTicket(answer.headers['moat-wake']));
    if (heard.kind === 'configuration') await this.#take(heard.revision, heard.text);
    this.#learnDoor(this.#parts.files.enrolment() ?? enrolment, answer);
  }

  #follow(enrolment: Enrolment, doors: Enrolment['doors']): void {
    this.#redirects += 1;
    // Two portals that send us to each other are no reason to run in circles.
    if (this.#redirects > 3) throw new Error('the portals send this box in circles');
    this.#parts.files.save({ ...enrolment, doors });
    this.#parts.log.info({ apiUrls: doors[0]?.apiUrls }, 'movedToAnotherPortal');
    this.#have = null;
    this.#news = true;
    this.#reportAt = 0;
    this.#releases.forget();
    this.#wakes.close();
  }

  /** One that cannot be understood is refused here; everything else is for the trial to find out. */
  async #take(revision: number, text: string): Promise<void> {
    const { files, managed, log } = this.#parts;
    this.#have = revision;
    if (text === files.configText() && managed.inForce().revision !== null) return;
    try {
      loadSource({ path: files.configFile, text });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#account.refuse({ revision, problem: error.message, rolledBack: false });
      this.#reportAt = 0;
      log.error({ revision, problems: error.problems }, 'configurationRefused');
      return;
    }
    this.#account.refuse(null);
    files.saveConfig(text);
    await managed.load();
    log.info({ revision }, 'configurationFetched');
    this.#reportAt = 0;
  }

  /** The portal's addresses may change; doors of portals that we came from are forgotten once the new one has proven itself. */
  #learnDoor(enrolment: Enrolment, answer: Answer): void {
    const [door, ...older] = enrolment.doors;
    // An answer of an older door says nothing about the newest.
    const { apiKey, url } = this.#doors.answered;
    if (!door || apiKey !== door.apiKey) return;
    const apiUrls = learnedUrls(answer.headers['moat-api-urls'], url) ?? door.apiUrls;
    const doors = [{ ...door, apiUrls }, ...(this.#account.isProven(this.#have) ? [] : older)];
    if (JSON.stringify(doors) !== JSON.stringify(enrolment.doors)) this.#parts.files.save({ ...enrolment, doors });
  }

  async #report(enrolment: Enrolment): Promise<void> {
    const roundTripMs = this.#wakes.roundTripMs ?? this.#doors.roundTripMs;
    const body = JSON.stringify(await this.#account.report(this.#have, roundTripMs));
    const answer = await this.#ask(enrolment, { method: 'POST', path: '/device/1/status', body });
    if (answer.status === 421) {
      this.#news = true; // where to, `config` says
      return;
    }
    if (answer.status !== 204) throw new Error(`the portal answered ${answer.status} to a report`);
    this.#reportAt = performance.now() + reportMs * (0.9 + Math.random() / 5);
  }

  /** Old and new key overlap: the portal takes both until the new one has signed its first call. */
  async #renewKey(enrolment: Enrolment): Promise<void> {
    const { files, managed, log } = this.#parts;
    const madeAtMs = statSync(files.keyFile).mtimeMs;
    const old = keyIsOld({ madeAtMs, nowMs: Date.now(), days: enrolment.keyDays, clockIsRight: this.#clock.isSettled });
    if ((!old && !files.hasNextKey()) || performance.now() < this.#renewAt) return;
    const next = files.nextKey();
    const { x = '' } = next.export({ format: 'jwk' });
    const body = JSON.stringify({ publicKey: Buffer.from(x, 'base64url').toString('base64') });
    // A 401 may mean that the new key was promoted, and the power went before we knew.
    const announced = await this.#ask(enrolment, { method: 'POST', path: '/device/1/key', body });
    const proven = await this.#ask(enrolment, { method: 'GET', path: configPath }, next);
    if (proven.status !== 200) {
      // The old key goes on; what stands in the way is for people to find.
      files.forgetNextKey();
      this.#renewAt = performance.now() + renewAgainMs;
      return log.warn({ announced: announced.status, proven: proven.status }, 'keyNotRenewed');
    }
    files.promote();
    this.#key = next;
    await managed.load();
    log.info('keyRenewed');
  }

  async #ask(enrolment: Enrolment, call: Call, key: KeyObject | null = this.#key): Promise<Answer> {
    if (!key) throw new Error('this box has no key');
    const { doors } = enrolment;
    const { inside } = this.#parts.managed.inForce();
    const { tunnelUp } = this.#account;
    const answer = await this.#doors.ask({ doors, key, call, failures: this.#failures, inside, tunnelUp });
    if (!call.heldSeconds) await this.#clock.hear(answer.headers.date, this.#doors.roundTripMs / 1000);
    return answer;
  }

  /** Says at once what the portal should know at once. */
  async #look(): Promise<void> {
    if (await this.#account.hasNews()) this.#poke('report');
  }

  #poke(why: 'news' | 'report'): void {
    if (why === 'news') this.#news = true;
    else this.#reportAt = 0;
    // While a portal is away its back-off is kept.
    if (this.#failures > 0) return;
    this.#held?.abort();
    this.#rest?.();
  }

  #pause(milliseconds: number): Promise<void> {
    if (this.#closed || milliseconds <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#rest = null;
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#rest = done;
    });
  }
}
