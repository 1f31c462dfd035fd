// The reference of /v1 in a real browser. `test/tests/operate/browser.rs` starts a shop and this program. It ends with 0 when
// everything held.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";

const { MODULES, CHROMIUM, SHOP, SCREENSHOT } = process.env;
const require = createRequire(`${MODULES}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** The page, opened; whatever the browser complains of, and whoever else it asks, is remembered. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith(SHOP)) page.complaints.push(`asks ${request.url()}`); });
  await page.goto(`${SHOP}/v1/docs`);
  await page.waitForFunction(() => document.querySelectorAll("details.call").length > 0);
  return page;
}

async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], `accessibility, ${what}`);
}

const shown = (page) => page.evaluate(() => [...document.querySelectorAll("details.call")].filter((one) => !one.hidden).map((one) => one.id));

const steps = {
  async "every call of the description is there"(page) {
    const { paths } = await (await fetch(`${SHOP}/v1/openapi.json`)).json();
    const described = Object.values(paths).flatMap((operations) => Object.values(operations)).map((operation) => operation.operationId);
    assert.deepEqual((await shown(page)).sort(), described.sort());
  },

  async "search finds by path and by word, with the keyboard alone"(page) {
    await page.keyboard.press("/");
    await page.keyboard.type("get problems");
    assert.deepEqual(await shown(page), ["list_problems"]);
    assert.equal(await page.textContent("#count"), "1 call");
    await page.keyboard.press("Escape");
    assert((await shown(page)).length > 1, "all are back");
    await page.fill("#wanted", "no such call");
    assert(await page.isVisible("#none"));
    await page.fill("#wanted", "");
  },

  async "a call is opened and sent with the keyboard alone"(page) {
    await page.focus("#list_problems summary");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#list_problems form");
    await page.focus("#list_problems button[type=submit]");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#list_problems .chip.good");
    const answer = await page.textContent("#list_problems [role=status]");
    assert(answer.includes("200") && answer.includes("invalid_cursor") && answer.includes(`curl '${SHOP}/v1/problems'`), answer);
  },

  async "a refusal is shown as it came"(page) {
    await page.click("#show_docs_part summary");
    await page.fill("#show_docs_part input", "no such part");
    await page.click("#show_docs_part button[type=submit]");
    await page.waitForSelector("#show_docs_part .chip.bad");
    assert((await page.textContent("#show_docs_part [role=status]")).includes("no_route"));
  },

  async "it is for everyone, light and dark"(page) {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await accessible(page, colorScheme);
    }
  },
};

let page = null;
try {
  page = await open({ reducedMotion: "reduce" });
  for (const [name, step] of Object.entries(steps)) {
    await step(page).catch((error) => { throw new Error(`${name}: ${error.stack}\n${page.complaints.join("\n")}`); });
    console.error(name);
  }
  assert.deepEqual(page.complaints.filter((text) => !text.includes("status of 404")), [], "the browser complains of nothing");

  const phone = await open({ viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true });
  await phone.tap("#list_problems summary");
  await phone.waitForSelector("#list_problems form");
  const [needed, width] = await phone.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(needed <= width, `on a phone the page is ${needed} wide and has ${width}`);
  await accessible(phone, "phone");
  console.log("all held");
} catch (error) {
  if (page && SCREENSHOT) await page.screenshot({ path: SCREENSHOT, fullPage: true }).catch(() => {});
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
process.exit();
