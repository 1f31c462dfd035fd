// The console's page. What comes from the system is only ever put in as text: ids are whatever a client made up.
"use strict";

const $ = (id) => document.getElementById(id);

/** An HTML element with properties and children; texts become text. */
function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("aria-") || key === "scope" || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children);
  return element;
}

/** Puts a text where it is not there yet: what has not changed is not read out again. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Keeps the children of a list or table in step with `items`; one that stays is changed, not made anew. */
function keyed(parent, items, key, make) {
  const had = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, place) => {
    const name = key(item);
    let child = had.get(name);
    had.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    child.update?.(item);
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  had.forEach((child) => child.remove());
}

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function count(value) {
  return value < 10 && value % 1 !== 0 ? oneDigit.format(value) : number.format(value);
}

function time(us) {
  if (us >= 1_000_000) return [oneDigit.format(us / 1_000_000), "s"];
  if (us >= 1_000) return [(us < 10_000 ? oneDigit : number).format(us / 1_000), "ms"];
  return [number.format(us), "µs"];
}

function age(ms) {
  return ms < 60_000 ? `${oneDigit.format(ms / 1_000)} s` : `${number.format(ms / 60_000)} min`;
}

function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) { value /= 1_000; unit += 1; }
  return `${value < 10 ? oneDigit.format(value) : number.format(value)} ${units[unit]}`;
}

/** An id that can be looked up: its two ends, in full for a screen reader and under the pointer. */
function idButton(id, kind) {
  const short = id.length > 18 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return h("button", { type: "button", className: "id", title: id, "aria-label": `${short}: look up ${kind} ${id}`, onclick: () => lookUp(id) }, short);
}

function chip(text, tone) {
  return h("span", { className: `chip ${tone}` }, text);
}

const TONES = { paid: "good", refused: "warn", aborted: "bad", unknown: "bad", pending: "", aborting: "warn", open: "", "on sale": "good", "sold out": "warn", "under way": "", "given up": "warn", "being given up": "warn" };

// ---- What is going on ----

const beats = [];
const outcomes = [
  { name: "paid", label: "paid", of: (beat) => beat.paid },
  { name: "repeated", label: "repeated", of: (beat) => beat.repeated },
  { name: "refused", label: "refused", of: (beat) => beat.refused },
  { name: "aborted", label: "given up", of: (beat) => beat.aborted },
  { name: "unknown", label: "unknown", of: (beat) => beat.unknown },
  { name: "turned-away", label: "turned away", of: (beat) => beat.turned_away },
];
const times = [
  { name: "median", label: "half", of: (beat) => beat.median_us },
  { name: "p99", label: "99 in 100", of: (beat) => beat.p99_us },
];
const sum = (of) => beats.reduce((total, beat) => total + of(beat), 0);
const rateChart = new Chart($("rate"), {
  series: outcomes, stacked: true, least: 4, format: count, title: "Checkouts a second over the last five minutes",
  summary: () => outcomes.map((one) => `${count(sum(one.of))} ${one.label}`).join(", "),
});
const timeChart = new Chart($("time"), {
  series: times, stacked: false, least: 1_000, format: (us) => time(us).join(" "), title: "How long checkouts took over the last five minutes",
  summary: () => `at most ${time(Math.max(0, ...beats.map((beat) => beat.p99_us))).join(" ")}`,
});

function legend(place, series) {
  place.replaceChildren(...series.map((one) => h("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: `fill-${one.name}`, width: 10, height: 10, rx: 3 })), one.label)));
}
legend($("rate-legend"), outcomes);
legend($("time-legend"), times);

function showBeats() {
  rateChart.show(beats);
  timeChart.show(beats);
  const last = beats[beats.length - 1];
  if (!last) return;
  // Nothing was done for what was turned away, and it comes again.
  const all = sum((beat) => outcomes.reduce((total, one) => total + one.of(beat), 0) - beat.turned_away), paid = sum((beat) => beat.paid + beat.repeated);
  say($("tile-rate"), count(last.paid));
  // What went last, when the last second was quiet.
  const busy = beats.findLast((beat) => beat.median_us > 0);
  const [median, unit] = busy ? time(busy.median_us) : ["–", ""];
  say($("tile-median"), median);
  say($("tile-median-unit"), unit);
  say($("tile-p99"), busy ? `99 in 100 within ${time(busy.p99_us).join(" ")}` : "no checkout yet");
  say($("tile-share"), all > 0 ? oneDigit.format(Math.floor((paid / all) * 1_000) / 10) : "–");
  say($("tile-share-unit"), all > 0 ? "%" : "");
  say($("tile-share-note"), all > 0 ? `paid, of ${count(all)} in five minutes` : "no checkout in five minutes");
  $("idle").hidden = all > 0;
}

// As many as stand beside the curves.
const RECENT_SHOWN = 9;
let recent = [];
function showRecent(news) {
  // A beat tells again what was told at the beginning, if it came in between.
  const had = new Set(recent.map((told) => told.tx));
  recent = [...news.filter((told) => !had.has(told.tx)), ...recent].slice(0, RECENT_SHOWN);
  $("recent-none").hidden = recent.length > 0;
  keyed($("recent"), recent, (told) => told.tx, (told) => {
    const tone = TONES[told.outcome] ?? "";
    const words = told.outcome === "aborted" ? "given up" : told.outcome;
    const line = h("li", {}, chip(words, tone), idButton(told.order, "order"), h("span", { className: "when" }, time(told.took_us).join(" ")));
    if (told.reason) line.append(h("span", { className: "why" }, told.reason));
    return line;
  });
}

function showHot(hot) {
  $("hot-none").hidden = hot.length > 0;
  const most = Math.max(1, ...hot.map((one) => one.units_per_second));
  const shares = hot.map((one) => ({ ...one, share: one.units_per_second / most }));
  keyed($("hot"), shares, (one) => one.item, (one) => {
    const bar = svg("rect", { height: 5, rx: 2.5 }), rate = h("span");
    const line = h("li", {}, idButton(one.item, "item"), rate, svg("svg", { viewBox: "0 0 100 5", preserveAspectRatio: "none", "aria-hidden": "true" }, bar));
    line.update = (now) => {
      say(rate, now.units_per_second < 0.1 ? "< 0.1" : oneDigit.format(now.units_per_second));
      bar.setAttribute("width", 100 * now.share);
    };
    return line;
  });
}

// ---- How the system is ----

function showSystem(system) {
  showAlarms(system.alarms);
  keyed($("shards").tBodies[0], system.shards, (shard) => `${shard.service} ${shard.shard}`, shardRow);
  say($("tile-flight"), count(system.in_flight));
  const oldest = system.oldest[0];
  say($("tile-flight-unit"), system.in_flight === 1 ? "attempt" : "attempts");
  // Counted and listed at two moments: what was counted may have ended since.
  say($("tile-oldest"), oldest ? `the oldest for ${age(oldest.age_ms)}` : system.in_flight > 0 ? "for a moment" : "nothing under way");
  $("flight-region").hidden = system.oldest.length === 0;
  $("flight-none").hidden = system.oldest.length > 0;
  keyed($("flight").tBodies[0], system.oldest, (attempt) => `${attempt.order} ${attempt.tx}`, flightRow);
}

let known = new Set();
function showAlarms(alarms) {
  // Ages and fills change every second; only a new kind of alarm is worth reading out.
  const key = (alarm) => `${alarm.level} ${alarm.kind}`;
  const news = alarms.filter((alarm) => !known.has(key(alarm)));
  known = new Set(alarms.map(key));
  if (news.length > 0) $("spoken").textContent = news.map((alarm) => alarm.words).join(" ");
  keyed($("alarms").firstElementChild, alarms, key, (alarm) => {
    const line = h("li", { className: alarm.level });
    line.update = (now) => say(line, now.words);
    return line;
  });
  $("alarms").hidden = alarms.length === 0;
  const bad = alarms.filter((alarm) => alarm.level === "alarm").length;
  if (bad > 0) health(bad === 1 ? "1 alarm" : `${bad} alarms`, "bad");
  else if (alarms.length > 0) health(alarms.length === 1 ? "1 warning" : `${alarms.length} warnings`, "warn");
  else health("All is well", "good");
}

function health(words, tone) {
  say($("health"), words);
  $("health").className = `pill ${tone}`;
}

function cell(className = "") {
  return h("td", { className });
}

function shardRow(shard) {
  const [state, trip, memory, listed, keys, commands] = [cell(), cell("number"), cell(), cell("number"), cell("number opt"), cell("number opt")];
  const bar = svg("rect", { height: 7 }), meter = h("div", { className: "memory" }, svg("svg", { viewBox: "0 0 100 7", preserveAspectRatio: "none", "aria-hidden": "true" }, bar), h("span"));
  memory.append(meter);
  const mark = chip("", "");
  state.append(mark);
  const row = h("tr", {}, h("th", { scope: "row" }, `${shard.service} ${shard.shard}`), state, trip, memory, listed, keys, commands);
  row.update = (now) => {
    row.className = now.up ? "" : "down";
    row.dataset.up = String(now.up);
    const failing = now.disk === "failing";
    say(mark, !now.up ? "does not answer" : failing ? "disk fails" : "answers");
    mark.className = `chip ${now.up && !failing ? "good" : "bad"}`;
    const known = (text) => (now.up ? text : "–");
    say(trip, known(time(now.round_trip_us).join(" ")));
    const fill = now.maxmemory > 0 ? (100 * now.used_memory) / now.maxmemory : null;
    meter.className = `memory ${fill >= 90 ? "bad" : fill >= 75 ? "warn" : ""}`;
    meter.firstElementChild.toggleAttribute("hidden", fill === null || !now.up);
    bar.setAttribute("width", fill ?? 0);
    say(meter.lastElementChild, known(fill === null ? bytes(now.used_memory) : `${number.format(fill)} % of ${bytes(now.maxmemory)}`));
    say(listed, known(`${count(now.listed)} ${now.service === "order" ? "in flight" : "held"}`));
    say(keys, known(count(now.keys)));
    say(commands, known(count(now.commands_per_second)));
  };
  return row;
}

const STATES = { pending: "being paid", aborting: "being given up", paid: "paid, settling", unknown: "order gone" };

function flightRow(attempt) {
  const [old, state] = [cell("number"), cell()];
  const mark = chip("", "");
  state.append(mark);
  const button = h("button", { type: "button", className: "small", "aria-label": `Settle now: order ${attempt.order}`, onclick: () => settle(attempt.order, button) }, "Settle now");
  const row = h("tr", {}, old, h("td", {}, idButton(attempt.order, "order")), state, h("td", { className: "opt" }, idButton(attempt.user, "user")), h("td", {}, `order ${attempt.shard}`), h("td", {}, button));
  row.update = (now) => {
    say(old, age(now.age_ms));
    say(mark, STATES[now.status] ?? now.status);
    mark.className = `chip ${TONES[now.status] ?? ""}`;
  };
  return row;
}

/** Asks for recovery of one attempt, and says what came of it. */
async function settle(order, button) {
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  answer($("settled"), "Settling …", "");
  try {
    const told = await ask(`/console/settle/${encodeURIComponent(order)}`, { method: "POST", headers: { "X-Shardcart-Console": "1" } });
    answer($("settled"), told.words, { settled: "good", held: "warn", waiting: "warn" }[told.outcome] ?? "");
  } catch (error) {
    answer($("settled"), `Not settled: ${error.message}`, "bad");
  }
  button.ariaDisabled = "false";
  // The button goes with its row: whoever is still at it is led to what came of it.
  if ([button, document.body].includes(document.activeElement)) $("settled").focus();
}

function answer(element, words, tone) {
  say(element, words);
  element.className = `answer ${tone}`;
}

// ---- Calls of the console's own ----

async function ask(path, options = {}) {
  const reply = await fetch(path, { credentials: "same-origin", ...options });
  if (reply.status === 401) location.reload();
  const told = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(told.detail ?? `the answer was ${reply.status}`);
  return told;
}

// A beat comes every second. After so long without a word the line is dead, though the browser may not know.
const SILENCE_MS = 5_000;
let source = null, heard = 0;
function connect() {
  heard = Date.now();
  source = new EventSource("/console/events");
  const on = (name, show) => source.addEventListener(name, (event) => { heard = Date.now(); show(JSON.parse(event.data)); });
  on("hello", (told) => {
    say($("machine"), told.machine);
    beats.splice(0, beats.length, ...told.beats);
    recent = [];
    showBeats();
    showRecent(told.recent);
  });
  on("beat", (told) => {
    // The last one of the beginning may be told again.
    if (beats.at(-1)?.at_ms !== told.beat.at_ms) beats.push(told.beat);
    while (beats[0].at_ms < told.beat.at_ms - Chart.SPAN_MS) beats.shift();
    showBeats();
    showRecent(told.recent);
    showHot(told.hot);
  });
  on("system", showSystem);
  on("bye", lost);
  source.onerror = () => {
    // An answer that is none ends the browser's own tries.
    if (source?.readyState === EventSource.CLOSED) lost();
    else health("Connecting again", "warn");
  };
}

setInterval(() => { if (source && Date.now() - heard > SILENCE_MS) lost(); }, 1_000);

function lost() {
  source.close();
  source = null;
  health("Connecting again", "warn");
  setTimeout(async () => {
    // Whoever has to log in again is shown the form. One who is silent is asked again.
    const reply = await fetch("/console/status", { signal: AbortSignal.timeout(SILENCE_MS) }).catch(() => null);
    if (reply?.status === 401) location.reload();
    else connect();
  }, 1_000);
}

// ---- Looking things up ----

function lookUp(id) {
  $("wanted").value = id;
  $("search").requestSubmit();
}

let searches = 0;
$("search").addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = $("wanted").value.trim();
  if (!id) return;
  const body = $("found-body"), search = (searches += 1);
  $("found").hidden = false;
  try {
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(id)) throw new Error("an id has 1 to 64 characters of A-Z a-z 0-9 _ . -");
    const found = await ask(`/console/inspect/${encodeURIComponent(id)}`);
    // Whoever has asked for something else since is not shown this any more.
    if (search !== searches) return;
    say($("found-title"), found.things.length > 0 ? `Found under ${found.id}` : `Nothing is known under ${found.id}`);
    body.replaceChildren(...found.things.map((thing) => thingCard(thing, found)));
    if (found.things.length === 0 && found.unanswered.length === 0) {
      body.append(h("p", {}, "No order, item, user or attempt has this id. Attempts are forgotten about a minute after they have ended."));
    }
    found.unanswered.forEach((words) => body.append(h("p", { className: "answer warn" }, `Not all was asked: ${words}.`)));
  } catch (error) {
    if (search !== searches) return;
    say($("found-title"), "Not found");
    body.replaceChildren(h("p", { className: "answer bad" }, error.message));
  }
  $("found-title").focus();
  $("found").scrollIntoView({ block: "nearest" });
});

$("found-close").addEventListener("click", () => { searches += 1; $("found").hidden = true; $("wanted").focus(); });

function thingCard(thing, { id, minted }) {
  const { service, shard } = thing.place;
  const head = h("div", { className: "head" }, h("h3", {}, thing.kind[0].toUpperCase() + thing.kind.slice(1)), chip(thing.state, TONES[thing.state] ?? ""));
  const card = h("div", { className: "thing" }, head);
  card.dataset.kind = thing.kind;
  card.dataset.state = thing.state;
  const how = minted ? "which its id says" : "by the hash of its id";
  card.append(h("p", { className: "place" }, `On ${service} shard ${shard}, ${how}.`));
  thing.story.forEach((words) => card.append(h("p", {}, words)));
  if (thing.in_flight && thing.kind === "order") {
    const button = h("button", { type: "button", className: "small", onclick: () => settle(id, button) }, "Settle now");
    head.append(button);
  }
  if (thing.user) card.append(h("dl", {}, h("dt", {}, "User"), h("dd", {}, idButton(thing.user, "user")), h("dt", {}, "Total"), h("dd", {}, count(thing.amount))));
  if (thing.lines.length > 0) card.append(linesTable(thing.lines));
  if (thing.attempts.length > 0) {
    const list = h("ul", {}, ...thing.attempts.map((attempt) => h("li", {}, idButton(attempt.tx, "attempt"), ` began ${new Date(attempt.began_ms).toLocaleString()}: ${attempt.told}`)));
    card.append(h("p", { className: "place" }, "Last attempts:"), list);
  }
  return card;
}

function linesTable(lines) {
  const row = (line) => h("tr", {}, h("td", {}, idButton(line.item, "item")), h("td", { className: "number" }, count(line.units)), h("td", { className: "number" }, count(line.sum)), h("td", { className: "number" }, line.stock === null ? "–" : count(line.stock)), h("td", {}, line.shard === null ? "–" : `stock ${line.shard}`));
  const heads = [["Item", ""], ["Units", "number"], ["Quoted", "number"], ["In stock now", "number"], ["Shard", ""]];
  const head = h("tr", {}, ...heads.map(([text, className]) => h("th", { scope: "col", className }, text)));
  return h("div", { className: "scroll", tabIndex: 0, role: "group", "aria-label": "Lines of the order" }, h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines.map(row))));
}

// ---- Try it ----

/** One call of the public API, shown as the curl line that does the same. */
async function call(method, path, shown = true) {
  const url = `${location.origin}${path}`;
  const curl = method === "GET" ? `curl ${url}` : `curl -X ${method} ${url}`;
  const line = h("li", {}, h("div", { className: "curl" }, curl));
  if (shown) $("calls").append(line);
  const began = performance.now();
  const reply = await fetch(path, { method, credentials: "omit" });
  const text = await reply.text();
  const took = time((performance.now() - began) * 1_000).join(" ");
  line.append(h("div", { className: "reply" }, chip(String(reply.status), reply.ok ? "good" : "bad"), h("code", {}, text || "(no body)"), h("span", {}, took)));
  let told = {};
  try { told = JSON.parse(text); } catch { /* Not every answer has a body. */ }
  if (reply.status === 404 && told.code === "no_route") throw new Error("the API is not at this address. Open the console through the gateway to try it.");
  return { ok: reply.ok, status: reply.status, told };
}

async function made(method, path, field) {
  const { ok, told } = await call(method, path);
  if (!ok) throw new Error(told.detail ?? "it was refused");
  return field ? told[field] : told;
}

let tried = null;
async function tryIt() {
  const [price, stock, units, credit] = ["price", "stock", "units", "credit"].map((field) => $(field).value);
  $("calls").replaceChildren();
  answer($("tried"), "Trying …", "");
  const item = await made("POST", `/stock/item/create/${price}`, "item_id");
  await made("POST", `/stock/add/${item}/${stock}`);
  const user = await made("POST", "/payment/create_user", "user_id");
  await made("POST", `/payment/add_funds/${user}/${credit}`);
  const order = await made("POST", `/orders/create/${user}`, "order_id");
  await made("POST", `/orders/addItem/${order}/${item}/${units}`);
  const checkout = await call("POST", `/orders/checkout/${order}`);
  const found = await made("GET", `/orders/find/${order}`);
  tried = { item, user, price };
  $("calls").append(h("li", {}, "Look up the order ", idButton(order, "order"), ", the item ", idButton(item, "item"), ", the user ", idButton(user, "user")));
  if (checkout.ok && found.paid) answer($("tried"), `Paid: ${units} for ${found.total_cost}, once and for good.`, "good");
  else if (checkout.status < 500) answer($("tried"), `Refused: ${checkout.told.detail ?? checkout.status}. Nothing was taken.`, "warn");
  else answer($("tried"), "The outcome is not known. Sending the checkout again is safe, and its answer is the truth.", "warn");
}

/** A hundred more orders of one unit each, a few at a time, for the curves. */
async function hundredMore() {
  if (!tried) await tryIt();
  const { item, user, price } = tried;
  await made("POST", `/stock/add/${item}/100`);
  await made("POST", `/payment/add_funds/${user}/${100 * Number(price)}`);
  let left = 100, paid = 0;
  const buyer = async () => {
    while (left > 0) {
      left -= 1;
      const order = (await call("POST", `/orders/create/${user}`, false)).told.order_id;
      await call("POST", `/orders/addItem/${order}/${item}/1`, false);
      if ((await call("POST", `/orders/checkout/${order}`, false)).ok) paid += 1;
    }
  };
  await Promise.all([buyer(), buyer(), buyer(), buyer()]);
  answer($("tried"), `${paid} of 100 more were paid.`, paid === 100 ? "good" : "warn");
}

async function busily(work) {
  if ($("try-go").ariaDisabled === "true") return;
  $("try-go").ariaDisabled = $("try-more").ariaDisabled = "true";
  try { await work(); } catch (error) { answer($("tried"), `That did not work: ${error.message}`, "bad"); }
  $("try-go").ariaDisabled = $("try-more").ariaDisabled = "false";
}
$("try-form").addEventListener("submit", (event) => { event.preventDefault(); busily(tryIt); });
$("try-more").addEventListener("click", () => busily(hundredMore));

// ---- Beginning ----

$("leave").hidden = !document.body.classList.contains("locked");
$("leave").addEventListener("click", async () => {
  await fetch("/console/logout", { method: "POST", headers: { "X-Shardcart-Console": "1" } });
  location.reload();
});
showBeats();
connect();
