/** The operators' page in a real Chromium: keyboard, phone, dark and light, and a name that would like to be a program. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { addRecord, setRecord } from '../../../provisioning/facts/fleet.ts';
import { addOperator, type NewOperator } from '../../../provisioning/operator-api/operators.ts';
import { smallDisk } from '../../../provisioning/testing/disk.ts';
import { codeNow } from '../../../provisioning/testing/operator.ts';
import { startTestPortal, type TestPortal } from '../../../provisioning/testing/portal.ts';

const pictures = process.env.MOAT_PICTURES;
let portal: TestPortal;
let browser: Browser;
let people = 0;

before(async () => {
  const executablePath = '/usr/bin/chromium';
  assert.ok(existsSync(executablePath), 'no Chromium here: install the Debian package chromium');
  portal = await startTestPortal('sqlite');
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});

after(async () => {
  await browser?.close();
  await portal?.close();
});

interface Look {
  readonly width?: number;
  readonly scheme?: 'dark' | 'light';
}

async function open({
  width = 1200,
  scheme = 'light',
}: Look = {}): Promise<{ page: Page; context: BrowserContext; bad: string[] }> {
  const viewport = { width, height: 800 };
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport, colorScheme: scheme });
  const page = await context.newPage();
  const bad: string[] = [];
  page.on('pageerror', (error) => bad.push(error.message));
  // The 401 of the first look, before anybody has logged in, is no mistake of the page.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('401')) bad.push(message.text());
  });
  page.setDefaultTimeout(20_000);
  await page.goto(`https://127.0.0.1:${portal.operatorPort}/`);
  return { page, context, bad };
}

async function newPerson(): Promise<NewOperator> {
  people += 1;
  return addOperator(portal.database, { name: `person${people}`, role: 'owner' }, Date.now());
}

async function logIn(page: Page): Promise<void> {
  const person = await newPerson();
  await page.getByLabel('Name').fill(person.name);
  await page.getByLabel('Password').fill(person.password);
  await page.getByLabel('Code').fill(codeNow(person.totpSecret, Date.now()));
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Fleet' }).waitFor();
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

test('a box is added with the keyboard alone, in under a minute, and its page hears of a change', async () => {
  const { page, context, bad } = await open();
  const person = await newPerson();
  const started = performance.now();
  await page.getByLabel('Name').waitFor();
  await page.keyboard.type(person.name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(person.password);
  await page.keyboard.press('Tab');
  await page.keyboard.type(codeNow(person.totpSecret, Date.now()));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Fleet' }).waitFor();
  await page.getByRole('link', { name: 'Add a box' }).first().focus();
  await page.keyboard.press('Enter');
  await page.getByLabel(/^Customer/).waitFor();
  await page.getByLabel(/^Customer/).focus();
  await page.keyboard.type('Miller');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.type('miller-1');
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Add miller-1' });
  await dialog.getByText('added site Miller/miller-1').waitFor();
  await picture(page, 'preview');
  // The dialog opens on Cancel: a stray Enter makes no change.
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Enrolment code' }).waitFor();
  const token = await page.locator('#token').textContent();
  assert.match(token ?? '', /^moat enroll moat1\./);
  assert.ok(performance.now() - started < 60_000);
  assert.ok(
    (await page.locator('img.qr').evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth)) > 0,
  );
  await picture(page, 'code');

  const box = portal.box();
  const code = token?.split('.').at(-1);
  assert.equal((await box.call('POST', '/device/1/enroll', JSON.stringify({ code }))).status, 200);
  await page.goto(`https://127.0.0.1:${portal.operatorPort}/#/device/miller-1`);
  await page.getByText('revision 1, confirmed 0').waitFor();
  await portal.edit((to) => setRecord(to, 'device', 'miller-1', { settings: { tunnel: { mtu: 1400 } } }));
  await page.getByText('revision 2, confirmed 0').waitFor();
  assert.deepEqual(bad, []);
  await context.close();
});

test('a name is shown, never run; a refusal stands at its field', async () => {
  const name = '<img src=x onerror="window.broken=1">';
  await portal.edit(async (to) => {
    await addRecord(to, 'customer', { name });
    await addRecord(to, 'device', { customer: name, name: 'hostile-1', note: '<script>window.broken=1<' });
  });
  const { page, context, bad } = await open();
  await logIn(page);
  await page.getByRole('searchbox').fill('onerror');
  await page.getByRole('cell', { name }).waitFor();
  await page.getByRole('link', { name: 'hostile-1' }).click();
  await page.getByRole('heading', { name: 'hostile-1' }).waitFor();
  assert.equal(await page.evaluate(() => (globalThis as { broken?: number }).broken), undefined);
  await page.getByLabel('Settings of this box').fill('{"tunnel":{"mtu":7}}');
  await page.getByRole('button', { name: 'Show what would change' }).click();
  await page.getByText('expected at least 1280, found 7').waitFor();
  assert.deepEqual(
    bad.filter((text) => !text.includes('400')),
    [],
  );
  await context.close();
});

test('a passkey is made, logs in without password and code, and is removed', async () => {
  const { page, context, bad } = await open();
  const named = `https://localhost:${portal.operatorPort}/`;
  await page.goto(named);
  const devtools = await context.newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const abilities = { hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
  const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', automaticPresenceSimulation: true, ...abilities },
  });
  await logIn(page);
  await page.goto(`${named}#/account`);
  await page.getByLabel(/^Name of a new passkey/).fill('this laptop');
  await page.keyboard.press('Enter');
  await page.getByRole('cell', { name: 'this laptop', exact: true }).waitFor();
  await picture(page, 'account');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByRole('heading', { name: 'Account' }).waitFor();
  assert.deepEqual(bad, []);
  await page.getByRole('button', { name: 'Remove this laptop' }).click();
  await page.getByRole('cell', { name: 'this laptop', exact: true }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('This passkey opens nothing here.').waitFor();
  // An authenticator that cannot tell who holds it makes none.
  await devtools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('The browser gave no passkey: cancelled, or too late.').waitFor();
  await context.close();
});

test('an owner adds an operator, who logs in with what is shown and cannot do what an owner can', async () => {
  const { page, context, bad } = await open();
  await logIn(page);
  await page.goto(`https://127.0.0.1:${portal.operatorPort}/#/account`);
  await page.getByLabel('Name of a new operator').fill('vic');
  await page.getByRole('button', { name: 'Add an operator' }).click();
  await page.getByText('For vic. Both are shown only now.').waitFor();
  const [password = '', otpauth = ''] = await page.locator('.token').allTextContents();
  await page.getByRole('button', { name: 'Log out' }).click();
  // Until the portal has answered, the page still has a field for the name of a new operator.
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  await page.getByLabel('Name').fill('vic');
  await page.getByLabel('Password').fill(password);
  const secret = new URL(otpauth).searchParams.get('secret') ?? '';
  await page.getByLabel('Code').fill(codeNow(secret, Date.now()));
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('vic (viewer)').waitFor();
  await page.getByRole('heading', { name: 'Passkeys' }).waitFor();
  assert.equal(await page.getByRole('heading', { name: 'Operators' }).count(), 0);
  assert.deepEqual(bad, []);
  await context.close();
});

test('a new box has its own image, saved by the browser with the token in it', async () => {
  const images = join(portal.folder, 'images');
  mkdirSync(images);
  writeFileSync(join(images, 'moat-1.0.0-pc.img'), smallDisk());
  const { page, context, bad } = await open();
  await logIn(page);
  await page.goto(`https://127.0.0.1:${portal.operatorPort}/#/add`);
  await page.getByLabel(/^Customer/).fill('Miller');
  await page.getByLabel(/^Name of the box/).fill('miller-image');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Make the change' }).click();
  const saving = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Image for this box' }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), 'moat-1.0.0-pc-miller-image.img.gz');
  const token = (await page.locator('#token').textContent())?.replace('moat enroll ', '') ?? '?';
  assert.ok(gunzipSync(readFileSync(await saved.path())).includes(`${token}\n`));
  assert.deepEqual(bad, []);
  await context.close();
});

test('on a phone, in the dark: nothing leaves the screen, everything can be reached', async () => {
  const { page, context, bad } = await open({ width: 360, scheme: 'dark' });
  await logIn(page);
  for (const view of [
    'fleet',
    'device/miller-1',
    'add',
    'import',
    'records/pool',
    'history',
    'revision/2',
    'events',
    'account',
  ]) {
    await page.goto(`https://127.0.0.1:${portal.operatorPort}/#/${view}`);
    await page.locator('main h1').waitFor();
    await page.waitForTimeout(150);
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = (
        globalThis as never as { document: { documentElement: Record<string, number> } }
      ).document.documentElement;
      return (scrollWidth ?? 0) - (clientWidth ?? 0);
    });
    assert.ok(wide <= 0, `${view} is ${wide} px too wide`);
    await picture(page, `phone-${view.replace('/', '-')}`);
  }
  const dark = await page
    .evaluate(
      () =>
        globalThis as never as {
          getComputedStyle(e: unknown): { backgroundColor: string };
          document: { body: unknown };
        },
    )
    .then(() =>
      page
        .locator('body')
        .evaluate(
          (body) =>
            (globalThis as never as { getComputedStyle(e: unknown): { backgroundColor: string } }).getComputedStyle(
              body,
            ).backgroundColor,
        ),
    );
  assert.equal(dark, 'rgb(20, 23, 28)');
  assert.deepEqual(bad, []);
  await context.close();
});

test('pictures of the wide page', { skip: pictures === undefined && 'only with MOAT_PICTURES=FOLDER' }, async () => {
  const { page, context } = await open();
  await logIn(page);
  await picture(page, 'fleet');
  await page.goto(`https://127.0.0.1:${portal.operatorPort}/#/device/miller-1`);
  await page.getByRole('heading', { name: 'miller-1' }).waitFor();
  await page.waitForTimeout(300);
  await picture(page, 'device');
  await context.close();
});
