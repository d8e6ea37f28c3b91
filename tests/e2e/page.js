// A person with a real browser: logs in at the page, sees other nodes, logs out.
//
//   node page.js ORIGIN USER PASSWORD [SCREENSHOT.png]      prints what was seen as one line of JSON
import { chromium } from 'playwright-core';

const [origin, user, password, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
try {
  const context = await browser.newContext({ viewport: { width: 900, height: 800 } });
  const page = await context.newPage();
  const problems = [];
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  page.on('pageerror', (error) => problems.push(String(error)));

  await page.goto(`${origin}/`);
  const asked = page.url();
  await page.fill('input[name=username]', user);
  await page.fill('input[name=password]', password);
  if (screenshot) await page.screenshot({ path: screenshot.replace('.png', '-login.png') });
  await page.locator('button, input[type=submit]').first().click();
  await page.waitForSelector('#node');
  const who = await page.textContent('#who');

  const nodes = new Set();
  for (let click = 0; click < 12; click += 1) {
    nodes.add((await page.textContent('#node')).trim());
    await page.click('#again');
    await page.waitForSelector('#node');
  }
  if (screenshot) await page.screenshot({ path: screenshot });
  const cookies = await context.cookies();
  const stolen = cookies.map((one) => `${one.name}=${one.value}`).join('; ');

  await page.click('#logout');
  await page.waitForLoadState();
  const question = page.locator('form button, form input[type=submit]');
  if (await question.count()) await question.first().click();
  await page.waitForLoadState();
  const farewell = await page.textContent('body');
  if (screenshot) await page.screenshot({ path: screenshot.replace('.png', '-bye.png') });
  await page.goto(`${origin}/`);
  const asksAgain = await page.locator('input[name=password]').count();

  console.log(JSON.stringify({
    asked, who, nodes: [...nodes].sort(), farewell, asksAgain: asksAgain > 0, problems, stolen,
    httpOnly: cookies.every((one) => one.httpOnly),
  }));
} finally {
  await browser.close();
}
