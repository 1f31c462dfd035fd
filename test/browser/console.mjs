// The console in a real browser. `test/tests/operate/browser.rs` starts the systems and this program, and does what it asks for,
// a line each way: `checkout` -> an order, `kill stock 1` -> done. It ends with 0 when everything held.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";

const { MODULES, CHROMIUM, SHOP, LOCKED, TOKEN, SCREENSHOT } = process.env;
const require = createRequire(`${MODULES}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// How long anything may take: far more than it does, for a machine that is busy.
const PATIENCE = 180_000;

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** Has the test do something to the system, and gives its answer. */
async function have(words) {
  console.log(words);
  const { value, done } = await answers.next();
  assert(!done, `the test has ended before it could ${words}`);
  return value;
}

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** A page whose every complaint is remembered. */
async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin)) page.complaints.push(`asks ${request.url()}`); });
  await page.goto(url);
  return page;
}

async function says(page, selector, words) {
  const found = ([where, text]) => document.querySelector(where)?.textContent.includes(text);
  await page.waitForFunction(found, [selector, words]).catch((error) => { throw new Error(`${selector} does not say "${words}": ${error.message}`); });
}

/** Whoever cannot see, or uses no mouse, must get on as well: none of the rules of axe is broken. */
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], `accessibility, ${what}`);
}

async function fits(page, what) {
  const [needed, width] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert(needed <= width, `${what}: the page is ${needed} wide and has ${width}`);
}

/** Colours of curves that have less contrast to what is behind them than graphics need (WCAG 1.4.11). */
function faint(page) {
  return page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const light = (name) => {
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(style.getPropertyValue(name).trim().slice(at, at + 2), 16) / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const contrast = (name) => { const [one, other] = [light(name), light("--card")]; return Math.max(one, other) / Math.min(one, other); };
    const curves = ["--paid", "--repeated", "--refused", "--aborted", "--unknown", "--turned-away", "--time", "--time-long"];
    return curves.filter((name) => !(contrast(name) >= 3)).map((name) => `${name} ${contrast(name)}`);
  });
}

/** Presses "Check out" until it ends like this: on a busy machine an attempt may be given up, and that is an answer, too. */
async function tryUntil(page, words) {
  for (let press = 0; press < 20; press += 1) {
    await page.click("#try-go");
    await page.waitForFunction(() => document.getElementById("try-go").ariaDisabled !== "true");
    if ((await page.textContent("#tried")).includes(words)) return;
  }
  throw new Error(`trying ended with "${await page.textContent("#tried")}", never with "${words}"`);
}

const steps = {
  async "it loads, and says that all is well"(page) {
    await says(page, "#health", "All is well");
    await says(page, "#machine", "shop on port");
    await page.waitForFunction(() => document.querySelectorAll('#shards tr[data-up="true"]').length === 6);
    assert.equal(await page.title(), "Shardcart console");
  },

  async "it shows a checkout made elsewhere"(page) {
    const order = await have("checkout");
    const began = Date.now();
    await page.waitForSelector(`#recent button[title="${order}"]`);
    console.error(`a checkout made elsewhere was shown after ${Date.now() - began} ms`);
    page.order = order;
    await page.waitForFunction(() => Number(document.getElementById("tile-share").textContent) > 0);
    await page.waitForSelector("#hot button.id");
    // What a beat tells again is not shown again.
    const shown = await page.evaluate(() => {
      const told = (tx) => ({ tx, order: tx, outcome: "paid", took_us: 1, reason: "" });
      showRecent([told("a")]);
      showRecent([told("b"), told("a")]);
      showRecent([told("c")]);
      return [...document.querySelectorAll("#recent li")].map((line) => line.dataset.key);
    });
    assert.deepEqual(shown.slice(0, 3), ["c", "b", "a"]);
    assert.equal(new Set(shown).size, shown.length, shown.join());
  },

  async "the search finds an order, and from there its user and item"(page) {
    await page.fill("#wanted", page.order);
    await page.keyboard.press("Enter");
    await page.waitForSelector('.thing[data-kind="order"][data-state="paid"]');
    assert.equal(await page.evaluate(() => document.activeElement.id), "found-title", "a screen reader is led there");
    await says(page, "#found", "On order shard");
    await says(page, "#found", "Its checkout has charged 15.");
    await page.click(".thing dl button.id");
    await page.waitForSelector('.thing[data-kind="user"]');
    await page.fill("#wanted", page.order);
    await page.keyboard.press("Enter");
    await page.click(".thing table button.id");
    await page.waitForSelector('.thing[data-kind="item"]');
  },

  async "what was asked for last is shown, not what is answered last"(page) {
    let release;
    const released = new Promise((resolve) => { release = resolve; });
    await page.route("**/console/inspect/slow", async (route) => { await released; await route.continue(); });
    const answered = page.waitForResponse("**/console/inspect/slow");
    for (const wanted of ["slow", "quick"]) {
      await page.fill("#wanted", wanted);
      await page.keyboard.press("Enter");
    }
    await says(page, "#found-title", "known under quick");
    release();
    await (await answered).finished();
    // The page has seen that answer when it has seen a later one of its own asking.
    await page.evaluate(() => fetch("/console/status").then((reply) => reply.json()));
    await says(page, "#found-title", "known under quick");
    await page.unroute("**/console/inspect/slow");
  },

  async "what is no id is said to be none, and stays text"(page) {
    for (const typed of ["<img src=x onerror=alert(1)>", "../../orders/find/1", "a b"]) {
      await page.fill("#wanted", typed);
      await page.click("#search button");
      await says(page, "#found-body", "1 to 64 characters");
    }
    await page.fill("#wanted", "nobody-has_this.id");
    await page.click("#search button");
    await says(page, "#found-title", "Nothing is known under nobody-has_this.id");
    assert.equal(await page.locator("main img").count(), 0);
    await page.click("#found-close");
  },

  async "a checkout is tried, and each call is a line of curl"(page) {
    await tryUntil(page, "Paid: 3 for 15");
    const lines = await page.locator("#calls .curl").allTextContents();
    assert.equal(lines.length, 8);
    assert(lines.every((line) => /^curl (-X POST )?http:\/\/127\.0\.0\.1:\d+\/(stock|payment|orders)\/\S+$/.test(line)), lines.join("\n"));
    assert.deepEqual(await page.locator("#calls .chip").allTextContents(), Array(8).fill("200"));
    // Each line does what it says: the test runs the last.
    assert.match(await have(`run ${lines[7]}`), /"paid":true/);
    await page.fill("#credit", "1");
    await tryUntil(page, "Refused: the user has too little credit");
    await page.fill("#credit", "100");
    // Browsers log every answer of 4xx.
    page.complaints = page.complaints.filter((text) => !/status of (402|409|503)/.test(text));
  },

  async "a hundred more are paid, and are in the curves"(page) {
    // They cost what the item costs, whatever is typed by now.
    await page.fill("#price", "0");
    await page.click("#try-more");
    await says(page, "#tried", "of 100 more were paid");
    const paid = parseInt(await page.textContent("#tried"), 10);
    assert(paid > 50, `${paid} of 100: they had the credit`);
    await page.fill("#price", "5");
    await page.waitForFunction(() => /[1-9]\d+ paid/.test(document.querySelector("#rate svg").getAttribute("aria-label")));
  },

  async "a killed shard turns red, and green again"(page) {
    const row = (up) => `#shards tr[data-up="${up}"]:has(th:text-is("stock 1"))`;
    const color = (selector) => page.evaluate((of) => getComputedStyle(document.querySelector(of)).backgroundColor, selector);
    const well = await color("#health");
    await have("kill stock 1");
    await page.waitForSelector(row(false));
    await says(page, "#alarms", "stock shard 1 does not answer");
    await says(page, "#spoken", "stock shard 1 does not answer");
    const spoken = await page.evaluate(() => ["10", "11"].map((seconds) => {
      showAlarms([{ kind: "age", level: "warning", words: `for ${seconds} s` }]);
      return [document.getElementById("alarms").textContent, document.getElementById("spoken").textContent];
    }));
    assert.deepEqual(spoken, [["for 10 s", "for 10 s"], ["for 11 s", "for 10 s"]], "what only changes its words is not read out again");
    await says(page, "#alarms", "stock shard 1 does not answer");
    await says(page, "#health", "1 alarm");
    await page.waitForFunction((was) => getComputedStyle(document.getElementById("health")).backgroundColor !== was, well);
    await accessible(page, "with an alarm");
    await have("restart stock 1");
    await page.waitForSelector(row(true));
    await says(page, "#health", "All is well");
    await page.waitForFunction((was) => getComputedStyle(document.getElementById("health")).backgroundColor === was, well);
    assert(await page.locator("#alarms").isHidden());
  },

  async "an attempt in flight can be settled, by the rules"(page) {
    const order = await have("abandon");
    const button = page.locator(`#flight button[aria-label="Settle now: order ${order}"]`);
    await button.focus();
    await page.keyboard.press("Enter");
    await says(page, "#settled", "still its coordinator's");
    await page.waitForFunction(() => document.activeElement.id === "settled");
    await accessible(page, "with an attempt in flight");
    await have("go on");
    await page.waitForSelector("#flight-none", { state: "visible" });
  },

  async "it notices a shop that is silent, and when it speaks again"(page) {
    const before = page.complaints.length;
    await have("freeze the shop");
    await says(page, "#health", "Connecting again");
    await have("thaw the shop");
    await says(page, "#health", "All is well");
    page.complaints = page.complaints.slice(0, before);
  },

  async "it comes back when the shop does"(page) {
    const before = page.complaints.length;
    await have("stop the shop");
    await says(page, "#health", "Connecting again");
    await have("start the shop");
    await says(page, "#health", "All is well");
    // Whoever asks a shop that is away is told so in the browser's own log.
    page.complaints = page.complaints.slice(0, before);
  },

  async "it is used by keyboard alone"(page) {
    await page.reload();
    await says(page, "#health", "All is well");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    const reached = new Set();
    for (let press = 0; press < 60; press += 1) {
      await page.keyboard.press("Tab");
      const [name, ring] = await page.evaluate(() => {
        const focused = document.activeElement;
        return [focused === document.body ? null : focused.id || focused.textContent, getComputedStyle(focused).outlineStyle];
      });
      // After the last comes the browser itself.
      if (name === null) break;
      assert.notEqual(ring, "none", `the focus is seen on ${name}`);
      reached.add(name);
    }
    for (const wanted of ["price", "credit", "try-go", "try-more"]) assert(reached.has(wanted), `${wanted} is reached`);
  },

  async "it is whole in light and dark, on a desk and on a phone"(page) {
    for (const colorScheme of ["light", "dark"]) {
      for (const [width, height] of [[1280, 900], [360, 740]]) {
        const what = `${colorScheme}, ${width} wide`;
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height });
        await tryUntil(page, "Paid");
        await page.fill("#wanted", page.order);
        await page.click("#search button");
        await page.waitForSelector('.thing[data-kind="order"]');
        await fits(page, what);
        await accessible(page, what);
      }
      assert.deepEqual(await faint(page), [], `${colorScheme}: lines that are hard to see`);
    }
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length);
    assert.equal(moving, 0, "nothing moves for those who do not want it");
  },
};

let page = null;
try {
  page = await open(`${SHOP}/console`);
  for (const [name, step] of Object.entries(steps)) {
    const began = Date.now();
    await step(page).catch((error) => { throw new Error(`${name}: ${error.stack}\n${page.complaints.join("\n")}`); });
    console.error(`${name}: ${Date.now() - began} ms`);
  }
  assert.deepEqual(page.complaints.filter((text) => !/status of (409|503)/.test(text)), [], "the browser complains of nothing");

  const door = await open(`${LOCKED}/console`);
  await accessible(door, "the form that asks for the token");
  await door.fill("#token", "0123456789abcdeX");
  await door.keyboard.press("Enter");
  await says(door, "[role=alert]", "not the token");
  await door.fill("#token", TOKEN);
  await door.keyboard.press("Enter");
  await says(door, "#health", "All is well");
  assert(!(await door.evaluate(() => document.cookie)).includes("shardcart"), "scripts cannot read the token");
  assert.equal(new URL(door.url()).pathname + new URL(door.url()).search, "/console");
  await door.click("#leave");
  await door.waitForSelector("#token");
  // A wrong token is an answer of 401, which browsers log.
  assert.deepEqual(door.complaints.filter((text) => !text.includes("401")), []);
  console.log("all held");
} catch (error) {
  if (page && SCREENSHOT) await page.screenshot({ path: SCREENSHOT, fullPage: true }).catch(() => {});
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
process.exit();
