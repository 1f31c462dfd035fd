// The reference of /v1: shows what openapi.json says, and sends calls to the shop that serves it.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const COLOURS = { get: "good", post: "warn", put: "warn", patch: "warn", delete: "bad" };
const $ = (id) => document.getElementById(id);

/** An element with attributes and what is in it. Texts are texts: nothing of the description becomes markup. */
function h(name, attributes, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in element && key !== "list") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...inside.filter((part) => part !== null && part !== undefined));
  return element;
}

let whole = {};

/** What a reference stands for. */
function resolved(thing) {
  let found = thing ?? {};
  for (let steps = 0; found.$ref && steps < 8; steps += 1) {
    found = found.$ref.replace("#/", "").split("/").reduce((from, part) => from?.[part], whole) ?? {};
  }
  return found;
}

/** A value that fits a schema. */
function example(schema, depth = 0) {
  const s = resolved(schema);
  if (s.example !== undefined) return s.example;
  if (s.examples?.length) return s.examples[0];
  if (s.default !== undefined) return s.default;
  if (s.enum) return s.enum[0];
  if (depth > 6) return null;
  const one = (s.oneOf ?? s.anyOf ?? []).find((other) => other.type !== "null");
  if (one) return example(one, depth + 1);
  if (s.allOf) return Object.assign({}, ...s.allOf.map((part) => example(part, depth + 1)));
  const type = Array.isArray(s.type) ? s.type.find((name) => name !== "null") : s.type;
  switch (type) {
    case "object": return Object.fromEntries(Object.entries(s.properties ?? {}).map(([name, inner]) => [name, example(inner, depth + 1)]));
    case "array": return s.items ? [example(s.items, depth + 1)] : [];
    case "integer": case "number": return s.minimum ?? 1;
    case "boolean": return false;
    case "string": return s.format === "date-time" ? "2026-11-30T17:05:13.123Z" : "text";
    default: return {};
  }
}

/** The kind of values that a schema is for, in words. */
function kind(schema) {
  const s = resolved(schema);
  const type = [s.type ?? (s.oneOf || s.anyOf ? "one of several" : "anything")].flat().join(" or ");
  const range = [s.minimum !== undefined ? `from ${s.minimum}` : "", s.maximum !== undefined ? `to ${s.maximum}` : "",
    s.minLength !== undefined ? `at least ${s.minLength} long` : "", s.maxLength !== undefined ? `at most ${s.maxLength} long` : ""];
  return [type, ...range, s.enum ? s.enum.join(", ") : ""].filter(Boolean).join(" · ");
}

function table(caption, heads, rows) {
  if (rows.length === 0) return null;
  const head = h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...cells]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), ...cells.map((cell) => h("td", {}, cell))));
  return h("div", { className: "scroll", role: "group", tabIndex: 0, "aria-label": caption },
    h("table", {}, h("thead", {}, head), h("tbody", {}, ...body)));
}

function members(schema) {
  const s = resolved(schema);
  const parts = s.allOf ? s.allOf.map(resolved) : [s];
  const wanted = new Set(parts.flatMap((part) => part.required ?? []));
  return parts.flatMap((part) => Object.entries(part.properties ?? {}))
    .map(([name, inner]) => [name, kind(inner), wanted.has(name) ? "yes" : "", inner.description ?? resolved(inner).description ?? ""]);
}

/** The form that sends a call. */
function sender(method, path, parameters, body) {
  const id = (name) => `${method}${path}${name}`.replace(/[^A-Za-z0-9]+/g, "-");
  const inputs = parameters.map((parameter) => {
    const input = h("input", { id: id(parameter.in + parameter.name), required: parameter.in === "path", spellcheck: false, autocomplete: "off" });
    return { parameter, input };
  });
  const [type, content] = Object.entries(body?.content ?? {})[0] ?? [];
  const isJson = type?.endsWith("json");
  const text = type ? h("textarea", { id: id("body"), spellcheck: false }, isJson ? JSON.stringify(example(content.schema), null, 2) : "") : null;
  const answer = h("div", { className: "send", role: "status" });
  const form = h("form", { className: "send" },
    inputs.length > 0 ? h("div", { className: "fields" }, ...inputs.map(({ parameter, input }) =>
      h("div", {}, h("label", { htmlFor: input.id }, `${parameter.name} (${parameter.in})`), input))) : null,
    text ? h("div", {}, h("label", { htmlFor: text.id }, `Body, ${type}`), text) : null,
    h("div", { className: "go" }, h("button", { type: "submit", className: "strong" }, "Send")), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams();
    const headers = {};
    let to = path;
    for (const { parameter: { name, in: place }, input: { value } } of inputs) {
      if (value === "") continue;
      if (place === "path") to = to.replace(`{${name}}`, encodeURIComponent(value));
      else if (place === "query") query.append(name, value);
      else if (place === "header") headers[name] = value;
    }
    if (query.size > 0) to += `?${query}`;
    if (text) headers["Content-Type"] = type;
    const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`;
    const curl = ["curl", method === "get" ? "" : `-X ${method.toUpperCase()}`, ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
      $("key").value ? "-H \"Authorization: Bearer $SHOP_KEY\"" : "", text ? `-d ${quoted(text.value)}` : "", quoted(location.origin + to)].filter(Boolean).join(" ");
    if ($("key").value) headers.Authorization = `Bearer ${$("key").value}`;
    answer.replaceChildren(h("pre", { tabIndex: 0 }, curl), h("p", { className: "note" }, "Waiting …"));
    try {
      const got = await fetch(to, { method: method.toUpperCase(), headers, body: text ? text.value : undefined });
      const said = await got.text();
      const shown = ["content-type", "etag", "location", "link", "retry-after", "idempotency-replayed"].filter((name) => got.headers.has(name))
        .map((name) => `${name}: ${got.headers.get(name)}`).join("\n");
      const pretty = (() => { try { return JSON.stringify(JSON.parse(said), null, 2); } catch { return said.slice(0, 20000); } })();
      answer.replaceChildren(h("pre", { tabIndex: 0 }, curl),
        h("p", {}, h("span", { className: `chip ${got.ok ? "good" : "bad"}` }, `${got.status} ${got.statusText}`)),
        h("pre", { tabIndex: 0 }, [shown, pretty].filter(Boolean).join("\n\n")));
    } catch (error) {
      answer.replaceChildren(h("pre", { tabIndex: 0 }, curl), h("p", { className: "answer bad" }, `No answer: ${error.message}`));
    }
  });
  return form;
}

function call(method, path, operation) {
  const parameters = (operation.parameters ?? []).map(resolved);
  const body = operation.requestBody ? resolved(operation.requestBody) : null;
  const answers = Object.entries(operation.responses ?? {}).map(([status, one]) => [status === "default" ? "else" : status, resolved(one).description ?? ""]);
  const schema = Object.values(body?.content ?? {})[0]?.schema;
  const fields = schema ? members(schema) : [];
  // Made when it is opened: most are never.
  const details = h("details", { className: "call", id: operation.operationId ?? "" },
    h("summary", {}, h("span", { className: `chip method ${COLOURS[method]}` }, method.toUpperCase()), h("code", {}, path), h("span", { className: "what" }, operation.summary ?? "")));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    details.append(h("div", { className: "inside" },
      operation.description ? h("p", {}, operation.description) : null,
      parameters.length > 0 ? h("h3", {}, "Parameters") : null,
      table("Parameters", ["Name", "Where", "Kind", "Meaning"], parameters.map((one) => [one.name, one.in, kind(one.schema), one.description ?? ""])),
      fields.length > 0 ? h("h3", {}, "Body") : null,
      table("Body", ["Member", "Kind", "Wanted", "Meaning"], fields),
      h("h3", {}, "Answers"), table("Answers", ["Status", "Meaning"], answers),
      h("h3", {}, "Try it"), sender(method, path, parameters, body)));
  });
  const words = [method, path, operation.summary, operation.description, operation.operationId].join(" ").toLowerCase();
  return { details, words };
}

async function show() {
  const got = await fetch("/v1/openapi.json");
  if (!got.ok) throw new Error(`the description is not there: ${got.status}`);
  whole = await got.json();
  const groups = new Map();
  for (const [path, operations] of Object.entries(whole.paths)) {
    for (const method of METHODS.filter((name) => operations[name])) {
      const tag = operations[method].tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(call(method, path, operations[method]));
    }
  }
  const sections = [...groups].sort(([a], [b]) => (a === "reference") - (b === "reference")).map(([tag, calls]) => {
    const title = tag[0].toUpperCase() + tag.slice(1);
    const section = h("section", { className: "card", "aria-labelledby": `of-${tag}` },
      h("div", { className: "head" }, h("h2", { id: `of-${tag}` }, title)), ...calls.map(({ details }) => details));
    return { section, calls };
  });
  $("calls-of-all").replaceChildren(...sections.map(({ section }) => section));

  const filter = () => {
    const wanted = $("wanted").value.trim().toLowerCase().split(/\s+/);
    let count = 0;
    for (const { section, calls } of sections) {
      for (const { details, words } of calls) {
        details.hidden = !wanted.every((word) => words.includes(word));
        count += details.hidden ? 0 : 1;
      }
      section.hidden = calls.every(({ details }) => details.hidden);
    }
    $("none").hidden = count > 0;
    $("count").textContent = count === 1 ? "1 call" : `${count} calls`;
  };
  $("wanted").addEventListener("input", filter);
  filter();
  const named = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  if (named instanceof HTMLDetailsElement) { named.open = true; named.scrollIntoView(); }
}

$("search").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); $("wanted").focus(); }
  if (event.key === "Escape" && event.target === $("wanted")) { $("wanted").value = ""; $("wanted").dispatchEvent(new Event("input")); }
});
show().catch((error) => { $("count").textContent = "No description"; $("count").classList.add("bad"); $("none").textContent = error.message; $("none").hidden = false; });
