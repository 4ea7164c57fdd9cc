// The page of `guardbit report` in a real browser: charts, tooltips, choices, keyboard, dark, narrow, paper, without
// scripts, with hostile names. Usage: node report_test.mjs GUARDBIT SOURCE_DIR; 77: not run, the reason is printed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [guardbit, source] = process.argv.slice(2);
const browserPath = '/usr/bin/chromium';

async function findChromium() {
  if (!existsSync(browserPath)) return null;
  try {
    return (await import('playwright-core')).chromium;
  } catch {
    return null;
  }
}

const chromium = await findChromium();
if (!chromium) {
  console.log('skipped: needs Chromium and playwright-core (tests/browser/setup.sh)');
  process.exit(process.env.GUARDBIT_REQUIRE_BROWSER ? 1 : 77);
}

const folder = mkdtempSync(join(tmpdir(), 'guardbit-browser-'));
const resultFile = join(folder, 'result.json');
const run = (...options) => execFileSync(guardbit, options, { maxBuffer: 1 << 28 });
writeFileSync(resultFile, run('replay', join(source, 'traces/kjv-gpt2'), '-a', join(source, 'configs/accelerators/edge.toml'),
                              '--windows', '1', '--variants', 'none,slanc,slanc+rrs', '--format', 'json', '--quiet'));
const result = JSON.parse(readFileSync(resultFile, 'utf8'));

/** Writes the page of `value` and returns its address. */
function pageOf(value, name, ...options) {
  const json = join(folder, `${name}.json`);
  const html = join(folder, `${name}.html`);
  writeFileSync(json, JSON.stringify(value));
  run('report', json, '-o', html, '--quiet', ...options);
  return html;
}

/** What `guardbit bathtub` prints for the trace of `result`, of a norm that overflows below s = 1 and loses its squares above s = 256. */
function bathtubFile(result) {
  const events = (tokens) => ({ tokens, events: tokens, ...(tokens ? { worst: { window: 0, position: 1, events: 1 } } : {}) });
  const points = [];
  for (let scale = -4; scale <= 14; ++scale) {
    points.push({ log2_scale: scale, error: scale < 0 ? null : scale <= 8 ? 2e-4 : 2e-4 * 4 ** (scale - 8), nonfinite: scale < 0 ? 9 : 0,
                  events: { overflow: events(scale < 0 ? 5 : 0), underflow: events(0), swamped: events(scale > 8 ? 60 : 0) },
                  output_sha256: 'x' });
  }
  const file = join(folder, 'bathtub.json');
  writeFileSync(file, JSON.stringify({
    schema: 'guardbit-bathtub/1', provenance: { trace_sha256: result.provenance.trace_sha256 },
    accelerator: { name: 'edge', keys: {} },
    trace: { name: 'kjv-gpt2', windows: 1, tokens: 256, residual_gain: 1, channel_gain: 1, channels: 0 },
    norms: [{ name: 'final_norm', layer: null, tokens: 256, norm: null, same_bits: { from: 2, to: 5 },
              marks: [{ method: 'none', scale: 1, log2_scale: 0 }, { method: 'slanc', scale: 128, log2_scale: 7 }], points }] }));
  return file;
}

const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync'],
});

/** Opens the page from disk; whatever it complains of or asks the network for is an error at the end. */
async function open(html, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);  // a machine may be busy
  page.problems = [];
  page.on('console', (message) => page.problems.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => page.problems.push(error.message));
  page.on('dialog', (dialog) => { page.problems.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(html).href) page.problems.push(`request ${request.url()}`);
  });
  await page.goto(pathToFileURL(html).href);
  return page;
}

async function close(page) {
  assert.deepEqual(page.problems, []);
  await page.context().close();
}

const visible = (page, selector) => page.locator(selector).evaluateAll(
  (elements) => elements.filter((element) => element.checkVisibility()).map((element) => element.textContent));
const drawn = (page, chart) => page.locator(`[data-chart="${chart}"] svg path`).count();
const chartText = (page, chart) => page.locator(`[data-chart="${chart}"] svg text`).allTextContents();

async function testCharts(html) {
  const page = await open(html);
  for (const chart of await page.locator('[data-chart]').evaluateAll((all) => all.map((one) => one.dataset.chart))) {
    assert.ok(await drawn(page, chart) > 10, `${chart} is drawn`);
  }
  const titles = (await chartText(page, 'cycles')).filter((text) => ['none', 'slanc', 'slanc+rrs'].includes(text));
  assert.equal(titles.length, 3);

  const none = result.variants[0];
  const head = none.ops.find((op) => op.name === 'head');
  await page.getByRole('radio', { name: 'swamped' }).check({ force: true });
  const cell = page.locator('[data-chart="events"] svg text', { hasText: /^head$/ }).first();
  await cell.scrollIntoViewIfNeeded();
  const box = await cell.boundingBox();
  await page.mouse.move(box.x + box.width + 25, box.y + box.height / 2);
  const tip = page.locator('.tip').first();
  await tip.waitFor();
  assert.match(await tip.textContent(), new RegExp(`head, none.*swamped${head.events.swamped.toLocaleString('en-US')}`));
  await close(page);
}

/** Every figure of the first table is the result's. */
async function testHeadline(html) {
  const page = await open(html);
  const titles = await page.locator('#variants thead th').allTextContents();
  const rows = await page.locator('#variants tbody tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  for (const variant of result.variants) {
    const row = rows.find(([name]) => name === variant.name);
    const figure = (title) => row[titles.indexOf(title)];
    assert.equal(figure('perplexity'), variant.perplexity.toFixed(3));
    assert.equal(figure('SQNR dB'), variant.sqnr_db.toFixed(1));
    for (const event of ['overflow', 'swamped', 'underflow', 'clipped', 'zeroed']) {
      assert.equal(figure(event), variant.events[event].toLocaleString('en-US'));
    }
    assert.equal(figure('cycles'), variant.cycles.toLocaleString('en-US'));
    assert.equal(figure('util. %'), (100 * variant.utilization).toFixed(1));
  }
  await close(page);
}

async function testChannels(html) {
  const page = await open(html);
  const field = page.locator('#outliers select');
  const layer = await field.inputValue();
  const outliers = (variant, op) => variant.ops.find(({ name }) => name === op).outliers;
  const bars = () => page.locator('[data-chart="channels"] svg text').evaluateAll((all) => all.map((text) => text.textContent).filter((text) => /^\d+$/.test(text)));
  const channelsOf = (op) => result.variants.flatMap((variant) => ['reference', 'array'].flatMap(
    (side) => outliers(variant, op)[side].largest_channels.map(({ channel }) => String(channel))));
  assert.deepEqual((await bars()).sort(), channelsOf(layer).sort(), 'every listed channel has its bar');
  const other = await field.locator('option').evaluateAll((all, chosen) => all.map(({ value }) => value).find((value) => value !== chosen), layer);
  await field.selectOption(other);
  assert.deepEqual((await bars()).sort(), channelsOf(other).sort());
  await field.selectOption(layer);

  const { channel, tokens } = outliers(result.variants[0], layer).reference.largest_channels[0];
  const name = page.locator('[data-chart="channels"] svg text', { hasText: new RegExp(`^${channel}$`) }).first();
  await name.scrollIntoViewIfNeeded();
  const box = await name.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y - 12);
  await page.locator('[data-chart="channels"] .tip').waitFor();
  assert.match(await page.locator('[data-chart="channels"] .tip').textContent(),
               new RegExp(`${layer}, none.*channel${channel}tokens with an outlier${tokens}of the tokens`));
  await close(page);
}

/** No text of a chart reaches beyond its picture, no title into another one, no column's title out of its column. */
async function expectNothingCut(page, what) {
  const faults = await page.evaluate(() => {
    const found = [];
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    for (const chart of document.querySelectorAll('[data-chart]')) {
      const frame = chart.querySelector('svg').getBoundingClientRect();
      const texts = [...chart.querySelectorAll('svg text')];
      for (const text of texts) {
        const box = text.getBoundingClientRect();
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
          found.push(`${chart.dataset.chart}: "${text.textContent}" is cut off`);
        }
      }
      const titles = texts.filter((text) => Number(getComputedStyle(text).fontWeight) >= 600);
      titles.forEach((one, at) => titles.slice(at + 1).forEach((other) => {
        if (meet(one.getBoundingClientRect(), other.getBoundingClientRect())) {
          found.push(`${chart.dataset.chart}: "${one.textContent}" lies on "${other.textContent}"`);
        }
      }));
    }
    for (const title of document.querySelectorAll('thead th')) {
      if (title.checkVisibility() && title.scrollWidth > title.clientWidth + 1) found.push(`column "${title.textContent}" is too narrow`);
    }
    return found;
  });
  assert.deepEqual(faults, [], what);
}

async function testLongNames() {
  const long = structuredClone(result);
  long.variants.push({ ...structuredClone(long.variants[2]), name: 'slanc_residual+rrs(qkv)+gptq(group=128,act_order)+w4a4kv4' });
  const html = pageOf(long, 'long', '--bathtub', bathtubFile(long));
  for (const width of [1440, 420]) {
    const page = await open(html, { viewport: { width, height: 900 } });
    await expectNothingCut(page, `${width} px`);
    await page.locator('[data-chart="events"]').evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
    await expectNothingCut(page, `${width} px with all tables`);
    await close(page);
  }
}

async function testChoices(html) {
  const page = await open(html);
  const rows = () => visible(page, '#variants tbody tr th');
  assert.deepEqual(await rows(), ['fp32 reference', 'none', 'slanc', 'slanc+rrs']);
  await page.locator('.bar input[value="slanc"]').check({ force: true });
  assert.deepEqual(await rows(), ['fp32 reference', 'slanc']);
  assert.ok(!(await chartText(page, 'cycles')).includes('none'));
  await page.keyboard.press('ArrowRight');
  assert.deepEqual(await rows(), ['fp32 reference', 'slanc+rrs']);
  await page.locator('.bar input[value=""]').check({ force: true });

  await page.locator('#ops summary').first().click();
  await page.locator('#ops .filter input').fill('Mlp.Down');
  const names = await visible(page, '#ops tbody th');
  assert.equal(names.length, 4 * 3);
  assert.ok(names.every((name) => name.endsWith('mlp.down')));
  assert.equal(await page.locator('#events .filter input').inputValue(), 'mlp.down');
  assert.ok(!(await chartText(page, 'events')).includes('head'));
  await page.locator('#ops .filter input').fill('');

  const table = page.locator('#ops table').first();
  const column = await table.locator('thead th').allTextContents().then((all) => all.indexOf('busy cycles'));
  await table.locator('thead th').nth(column).getByRole('button').press('Enter');
  const sorted = (await table.locator(`tbody tr > :nth-child(${column + 1})`).allTextContents())
    .map((text) => Number(text.replaceAll(',', '')));
  assert.deepEqual(sorted, result.variants[0].ops.map((op) => op.cycles).sort((a, b) => b - a));
  await close(page);
}

async function testScreens(html) {
  const ink = (page) => page.locator('[data-chart="cycles"] svg text').first().evaluate((text) => getComputedStyle(text).fill);
  const light = await open(html);
  const lightInk = await ink(light);
  await light.emulateMedia({ colorScheme: 'dark' });
  assert.notEqual(await ink(light), lightInk, 'charts follow the colour scheme');
  await light.emulateMedia({ colorScheme: 'light' });
  const pdf = await light.pdf({ format: 'A4' });
  const pages = pdf.toString('latin1').match(/\/Type \/Page\b/g).length;
  assert.ok(pages >= 2 && pages <= 9, `${pages} pages`);
  await close(light);

  const narrow = await open(html, { viewport: { width: 390, height: 800 } });
  const excess = await narrow.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(excess <= 0, `the page is ${excess} px wider than a phone`);
  await close(narrow);

  const plain = await open(html, { javaScriptEnabled: false });
  assert.equal(await plain.locator('#ops tbody tr').filter({ visible: true }).count(),
               result.variants.reduce((sum, variant) => sum + variant.ops.length, 0));
  assert.equal(await plain.locator('[data-chart]').filter({ visible: true }).count(), 0);
  await close(plain);
}

async function testHostileNames() {
  const script = '</script><script>window.pwned=1</script>';
  const image = '"><img src=x onerror=window.pwned=1>\u2028\'&amp;';
  const hostile = JSON.parse(JSON.stringify(result).replaceAll('"layers.0.mlp.down"', JSON.stringify(script)));
  hostile.variants[1].name = image;
  hostile.trace.name = script;
  hostile.accelerator.name = image;
  hostile.provenance.command = `<svg onload=window.pwned=1>`;
  hostile.accelerator.keys[image] = script;
  const page = await open(pageOf(hostile, 'hostile'));
  for (const radio of await page.getByRole('radio').all()) await radio.check({ force: true });
  await page.locator('.bar input[value=""]').check({ force: true });
  await page.locator('[data-chart="events"]').hover();
  await page.locator('[data-chart="error"]').hover();
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.locator('h1').textContent(), `${script} on ${image}`);
  assert.ok((await chartText(page, 'cycles')).includes(image));
  assert.equal(await page.locator('pre').textContent(), '<svg onload=window.pwned=1>');
  await close(page);
}

async function testNorms(html) {
  const page = await open(html);
  const titles = async () => (await chartText(page, 'exponents')).filter((text) => text.includes('head-room'));
  assert.equal((await titles()).length, 3);
  const before = await titles();
  await page.locator('#exponents select').selectOption('layers.1.attn_norm');
  assert.notDeepEqual(await titles(), before);
  const scale = result.variants[1].ops.find((op) => op.name === 'layers.1.attn_norm').norm_scale;
  assert.ok((await titles())[1].startsWith(`slanc, s = ${scale}: head-room`));
  assert.ok((await chartText(page, 'exponents')).includes('fp16 normal range'));
  await page.locator('#bathtub select').selectOption('final_norm');
  assert.equal(await page.locator('#exponents select').inputValue(), 'final_norm', 'both lists show the chosen norm');
  assert.match(await page.locator('#exponents .scale').textContent(), /^final_norm/, 'paper has no list: the legend names the norm');
  const bathtub = await chartText(page, 'bathtub');
  for (const text of ['slanc', 'not finite', 'same bits', 'relative error', 'scale s', '2⁰']) assert.ok(bathtub.includes(text), text);
  await close(page);
}

async function testSweep() {
  const points = [];
  for (let id = 1; id <= 60; ++id) {
    const format = ['int4', 'fp8_e4m3', '<img src=x onerror=window.pwned=1>'][id % 3];
    points.push({ id, status: id === 7 ? 'failed' : 'done', variant: id % 2 ? 'none' : 'rrs', array_activation: format, windows: 1,
                  array_rows: 8 + id % 12, cycles: 1000 + 37 * ((id * 17) % 60), perplexity: 3 + ((id * 29) % 60) / 20, energy_pj: 1e6 + 5 * id });
  }
  const page = await open(pageOf(points, 'points'));
  assert.ok(await drawn(page, 'sweep') >= 59);
  const done = points.filter((point) => point.status === 'done');
  const expected = (list) => list.filter((point) => !list.some(
    (other) => other.cycles <= point.cycles && other.perplexity <= point.perplexity && other !== point)).length;
  const frontRows = () => page.locator('.front tbody tr').count();
  assert.equal(await frontRows(), expected(done));
  assert.deepEqual(await page.locator('.front thead td, .front thead th').allTextContents(), ['id', 'variant', 'array_activation', 'array_rows', 'cycles', 'perplexity']);
  const all = await drawn(page, 'sweep');
  await page.getByRole('checkbox', { name: 'int4' }).focus();
  await page.keyboard.press('Space');
  const shown = done.filter((point) => point.array_activation !== 'int4');
  const change = (done.length + expected(done)) - (shown.length + expected(shown));
  assert.equal(all - await drawn(page, 'sweep'), change, 'marks of hidden points go, and the front is that of the others');
  assert.equal(await frontRows(), expected(shown));
  await expectNothingCut(page, 'sweep');
  await page.locator('.filter select').nth(2).selectOption('array_rows');
  const marks = await page.locator('.brush svg path').evaluateAll((all) => all.map((mark) => mark.getAttribute('d') + mark.getAttribute('fill')));
  assert.equal(new Set(marks).size, 12, 'every setting has a mark of its own');
  await page.locator('.filter select').nth(1).selectOption('energy_pj');
  assert.ok((await chartText(page, 'sweep')).includes('energy_pj'));
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  await close(page);
}

async function testTimingAlone() {
  const json = join(folder, 'timing.json');
  writeFileSync(json, run('replay', join(source, 'traces/kjv-gpt2'), '-a', join(source, 'configs/accelerators/edge.toml'),
                          '--no-values', '--windows', '1', '--decode', '2', '--format', 'json', '--quiet'));
  const page = await open(pageOf(JSON.parse(readFileSync(json, 'utf8')), 'timing'));
  assert.deepEqual(await visible(page, 'h2'), ['Variants', 'Cycles', 'All ops', 'Reproduce']);
  assert.ok(await drawn(page, 'cycles') > 10);
  await close(page);
}

try {
  const html = pageOf(result, 'report', '--bathtub', bathtubFile(result));
  assert.ok(statSync(html).size < 3e6, `${statSync(html).size} bytes`);
  await testCharts(html);
  await testHeadline(html);
  await testChannels(html);
  await testLongNames();
  await testChoices(html);
  await testScreens(html);
  await testNorms(html);
  await testHostileNames();
  await testSweep();
  await testTimingAlone();
  console.log('the page does what it says');
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
