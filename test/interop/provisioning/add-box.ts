/**
 * An administrator adds a box on the page, in a real Chromium, and reads the token aloud.
 * Usage: add-box.ts URL NAME PASSWORD TOTP-SECRET CUSTOMER BOX; prints the token.
 */
import { chromium } from 'playwright-core';
import { codeNow } from '../../../provisioning/testing/operator.ts';

const [url = '', name = '', password = '', totpSecret = '', customer = '', box = ''] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
try {
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(url);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByLabel('Code').fill(codeNow(totpSecret, Date.now()));
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { name: 'Fleet' }).waitFor();
  await page.getByRole('link', { name: 'Add a box' }).first().click();
  await page.getByLabel(/^Customer/).fill(customer);
  await page
    .getByLabel(/^Name|^Box|^Device/)
    .first()
    .fill(box);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: `Add ${box}` });
  await dialog.waitFor();
  await dialog.getByRole('button', { name: 'Make the change' }).click();
  await page.getByRole('heading', { name: 'Enrolment code' }).waitFor();
  const shown = (await page.locator('#token').textContent()) ?? '';
  console.log(shown.replace(/^moat enroll /, ''));
} finally {
  await browser.close();
}
